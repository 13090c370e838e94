"""A sample shop: an order database with its logs and invoices. `Scripts/sample-shop` makes it."""
