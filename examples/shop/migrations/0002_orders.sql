-- What was sold. An identity column needs no grant on its sequence.
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product text NOT NULL REFERENCES products (slug),
    quantity integer NOT NULL CHECK (quantity > 0),
    placed_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX orders_product ON orders (product);
