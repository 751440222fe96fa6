"""What is remembered: records, their fold, its integrity, and the store that keeps them."""
