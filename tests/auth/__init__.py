"""Who asks: tokens of a real little issuer, keys of gateways, development's headers; and what keeps secrets secret."""
