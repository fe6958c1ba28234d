"""How runs come to people, what people can say of them, and how that is shown. No reads and no writes."""
