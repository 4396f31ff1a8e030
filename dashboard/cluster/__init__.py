"""What the Cluster page is made of."""
