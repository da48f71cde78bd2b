"""Tables, queries, migrations and the hash-chained timeline; the truth of everything is here."""
