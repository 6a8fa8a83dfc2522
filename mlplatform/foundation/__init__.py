"""The ground floor: what every app stands on. Imports none of them."""
