"""Pages of the catalog: agents and their versions, tools and their reviews."""
