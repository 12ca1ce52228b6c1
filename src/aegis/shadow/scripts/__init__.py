"""Programs that run inside an arm, not here: each stands alone, with the standard library of any Python since 3.8."""
