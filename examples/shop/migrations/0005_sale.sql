-- How much is off, for everything at once, and what things therefore cost today.
CREATE TABLE sale (
    percent integer NOT NULL CHECK (percent BETWEEN 0 AND 90)
);

INSERT INTO sale (percent) VALUES (0);

-- There is one sale: a second row, or none, would show every product twice, or none.
CREATE UNIQUE INDEX sale_only_one ON sale ((true));

CREATE VIEW offers AS
SELECT slug, name, blurb, greatest(1, price_cents * (100 - percent) / 100) AS price_cents, percent AS off_percent, stock
FROM products CROSS JOIN sale;
