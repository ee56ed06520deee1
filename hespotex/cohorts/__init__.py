"""Many predicted slides as one table, and what it says of patients."""
