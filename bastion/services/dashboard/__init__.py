"""What happened, and what waits for somebody: the numbers of the first page. Each looks at a bounded number of rows."""
