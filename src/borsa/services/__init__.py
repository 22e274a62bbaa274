"""Who does it: six services with the same rooms, none of which imports another."""
