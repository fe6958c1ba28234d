"""Pages of money, one module per noun. Each view translates in, makes one domain call, translates out."""
