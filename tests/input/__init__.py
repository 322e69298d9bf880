"""What clients may send by mistake or malice: answered with null, a typed error or a refusal, and nothing changed."""
