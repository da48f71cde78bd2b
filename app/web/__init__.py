"""What browsers see: pages, static files and the routes that serve them."""
