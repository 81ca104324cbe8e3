"""What plugin authors test with; it ships in the wheel."""
