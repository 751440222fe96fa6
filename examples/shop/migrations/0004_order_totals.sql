-- What was paid, kept with the order, because prices change. Orders from before take the price of today.
ALTER TABLE orders ADD COLUMN total_cents integer CHECK (total_cents > 0);

UPDATE orders SET total_cents = orders.quantity * products.price_cents
FROM products
WHERE products.slug = orders.product;

ALTER TABLE orders ALTER COLUMN total_cents SET NOT NULL;
