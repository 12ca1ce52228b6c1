"""The Falco language: alerts, rules, conditions. Knows nothing of AEGIS."""
