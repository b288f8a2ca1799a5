"""Every arrow of the product, from pulling logs to delivering alerts."""
