"""Man pages, made of what the program says of itself. `Scripts/man-pages` writes them."""
