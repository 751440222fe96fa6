"""The kinds that purvey brings, one package per provider."""
