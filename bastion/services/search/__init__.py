"""What every list can do: a search language, a time range, pages, counts and exports, each bounded in its work."""
