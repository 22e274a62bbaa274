"""borsa bench hostile: what honest users feel while others attack the exchange."""
