DROP VIEW offers;
DROP TABLE sale;
