-- What the shop sells. Prices are whole cents, so that sums are exact.
CREATE TABLE products (
    slug text PRIMARY KEY CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name text NOT NULL UNIQUE,
    blurb text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0)
);

INSERT INTO products (slug, name, blurb, price_cents) VALUES
    ('tin-mug', 'Tin mug', 'Enamelled, 350 ml, chips with dignity.', 950),
    ('field-coffee', 'Field coffee', 'Dark roast, coarse ground, 500 g.', 1290),
    ('oat-biscuits', 'Oat biscuits', 'Keeps for a year, lasts for a day.', 420),
    ('sea-salt', 'Sea salt', 'Hand-raked grey salt, 250 g.', 380),
    ('storm-lantern', 'Storm lantern', 'Burns for 20 hours in any wind.', 3450),
    ('lamp-oil', 'Lamp oil', 'Clean burning, one litre.', 790),
    ('wool-blanket', 'Wool blanket', 'Undyed, 140 by 200 cm, warm when wet.', 6900),
    ('canvas-bag', 'Canvas bag', 'Waxed cotton, 40 litres, leather straps.', 8400),
    ('hemp-rope', 'Hemp rope', 'Three strands, 12 mm, 20 metres.', 2650),
    ('folding-knife', 'Folding knife', 'Carbon steel and beech, opens with one hand.', 1850),
    ('beeswax-candles', 'Beeswax candles', 'A box of six; smells of summer.', 1500),
    ('log-book', 'Log book', '192 numbered pages that take a fountain pen.', 1120);
