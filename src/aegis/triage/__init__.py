"""What an alert means and what to do about it: grouped, judged, mended as narrowly as can be, and proved."""
