"""Forms of quality's pages, by area. They read and show; services decide."""
