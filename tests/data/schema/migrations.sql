--- postgresql expand: a table is new
CREATE TABLE carts (id bigserial PRIMARY KEY, customer_id bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
--- postgresql expand: a table is new
CREATE TABLE IF NOT EXISTS public.audit_log (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, body jsonb NOT NULL);
--- postgresql expand: a table is new
CREATE TABLE order_notes (id serial, order_id bigint REFERENCES orders (id) ON DELETE CASCADE, note text);
--- postgresql expand: a table is new
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
--- postgresql expand: a table is new
CREATE TABLE totals AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id;
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN note text;
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN IF NOT EXISTS priority integer NOT NULL DEFAULT 0;
--- postgresql expand: may be left out
ALTER TABLE ONLY public.orders ADD COLUMN tags text[] DEFAULT '{}'::text[] NOT NULL;
--- postgresql unknown: worked out for each row
ALTER TABLE orders ADD COLUMN total_cents bigint GENERATED ALWAYS AS (amount * 100) STORED;
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN number bigserial;
--- postgresql contract: the older release may delete or change rows of warehouses
ALTER TABLE orders ADD COLUMN warehouse_id bigint REFERENCES warehouses (id);
--- postgresql unknown: new rows lose their value
ALTER TABLE orders ADD COLUMN warehouse_id bigint REFERENCES warehouses (id) ON DELETE SET NULL;
--- postgresql contract: rows of orders go with rows of warehouses
ALTER TABLE orders ADD COLUMN warehouse_id bigint REFERENCES warehouses (id) ON DELETE CASCADE;
--- postgresql expand: may be left out
CREATE TABLE warehouses (id bigserial PRIMARY KEY); ALTER TABLE orders ADD COLUMN warehouse_id bigint REFERENCES warehouses (id);
--- postgresql contract: the older release may delete or change rows of orders
CREATE TABLE order_notes (id serial, order_id bigint REFERENCES orders (id), note text);
--- postgresql contract: the older release may delete or change rows of orders
CREATE TABLE order_notes (id serial, order_id bigint, FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT);
--- postgresql contract: the older release may delete or change rows of orders
CREATE TABLE IF NOT EXISTS order_notes (id serial, order_id bigint REFERENCES orders ON DELETE NO ACTION ON UPDATE CASCADE);
--- postgresql unknown: new rows lose their value
CREATE TABLE order_notes (id serial, order_id bigint, CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE SET NULL);
--- postgresql unknown: new rows lose their value
CREATE TABLE order_notes (id serial, order_id bigint NOT NULL REFERENCES orders (id) ON DELETE SET NULL);
--- postgresql unknown: new rows lose their value
CREATE TABLE order_notes (id int, order_id int, PRIMARY KEY (order_id, id), FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE SET NULL);
--- postgresql contract: the older release may delete or change rows of order_notes
CREATE TABLE order_notes (id int, order_id int REFERENCES orders (id) ON DELETE CASCADE);
CREATE TABLE note_files (note_id int NOT NULL REFERENCES order_notes (id));
--- postgresql expand: a table is new
CREATE TABLE order_notes (id int, order_id int REFERENCES orders (id) ON DELETE CASCADE);
CREATE TABLE note_files (note_id int NOT NULL REFERENCES order_notes (id) ON DELETE CASCADE);
--- postgresql unknown: worked out for each row
ALTER TABLE orders ADD COLUMN cents int GENERATED ALWAYS AS (amount::int) STORED;
--- postgresql unknown: worked out for each row
ALTER TABLE orders ADD COLUMN share int GENERATED ALWAYS AS (1 / parts) STORED;
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN mail_lower text GENERATED ALWAYS AS (lower(mail)) STORED;
--- postgresql unknown: a check may refuse
ALTER TABLE orders ADD COLUMN discount int DEFAULT 0 CHECK (discount > 0);
--- postgresql unknown: what that does is not known
CREATE TABLE sums AS SELECT drop_everything();
--- postgresql expand: a table is new
CREATE TABLE sums AS SELECT customer, sum(amount) AS total FROM orders WHERE (amount > 0) GROUP BY customer;
--- postgresql unknown: what that does is not known
CREATE MATERIALIZED VIEW sums AS SELECT drop_everything();
--- postgresql unknown: what that does is not known
CREATE TABLE sums (total int);
INSERT INTO sums SELECT drop_everything();
--- postgresql expand: the table is new
CREATE TABLE sums (total int, at timestamp);
INSERT INTO sums (total, at) VALUES (1, now()), (2, now());
--- postgresql unknown: the older release may write rows into the new part
CREATE TABLE orders_rest PARTITION OF orders (CHECK (amount > 0)) DEFAULT;
--- postgresql unknown: the older release finds other rows
CREATE TABLE orders_rest (id int);
ALTER TABLE orders ATTACH PARTITION orders_rest DEFAULT;
--- postgresql expand: a table is new
CREATE TABLE folders (id bigint PRIMARY KEY, parent_id bigint REFERENCES folders (id));
--- postgresql expand: the table is new
CREATE TABLE notes (id bigint PRIMARY KEY); CREATE TABLE marks (note_id bigint); ALTER TABLE marks ADD CONSTRAINT fk FOREIGN KEY (note_id) REFERENCES notes (id);
--- postgresql contract: the older release may delete or change rows of orders
CREATE TABLE marks (order_id bigint); ALTER TABLE marks ADD CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id);
--- mysql contract: the older release may delete or change rows of orders
CREATE TABLE order_notes (id int AUTO_INCREMENT PRIMARY KEY, order_id int NOT NULL, KEY k (order_id), CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id));
--- postgresql unknown: the older release finds the rows of the new table among those of orders
CREATE TABLE old_orders (archived_at timestamptz) INHERITS (orders);
--- postgresql expand: a table is new
CREATE TABLE base (id int); CREATE TABLE child (note text) INHERITS (base);
--- postgresql expand: a table is new
CREATE TABLE tickets (id uuid DEFAULT make_id(), number bigint DEFAULT nextval('numbers'));
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();
--- postgresql unknown: the index may refuse rows
CREATE INDEX idx_amount ON documents (((body->>'amount')::int));
--- postgresql unknown: the index may refuse rows
CREATE INDEX idx_amount ON documents (CAST(body->>'amount' AS numeric));
--- postgresql unknown: the index may refuse rows
CREATE INDEX idx_price ON orders ((total / items));
--- postgresql unknown: the index may refuse rows
CREATE INDEX idx_own ON orders (rank_of(customer_id));
--- postgresql unknown: the index may refuse rows
CREATE INDEX idx_late ON orders (id) WHERE (note)::date > '2026-01-01';
--- postgresql expand: an index is new
CREATE INDEX idx_email ON users (lower((email)::text), coalesce(name, 'a/b (c)::int'));
--- postgresql expand: an index is new
CREATE INDEX idx_kind ON documents ((body->>'kind')) WHERE deleted_at IS NULL AND state IN ('a', 'b');
--- postgresql expand: the table is new
CREATE TABLE papers (body jsonb); CREATE INDEX idx_papers ON papers (((body->>'amount')::int));
--- postgresql contract: it has no default
ALTER TABLE orders ADD COLUMN currency char(3) NOT NULL;
--- postgresql contract: it has no default
ALTER TABLE orders ADD COLUMN currency char(3) NOT NULL DEFAULT NULL;
--- postgresql contract: it has no default
ALTER TABLE orders ADD COLUMN note text, ADD COLUMN currency char(3) NOT NULL;
--- postgresql unknown: not every database
ALTER TABLE users ADD COLUMN handle text UNIQUE;
--- postgresql contract: each must be another
ALTER TABLE users ADD COLUMN handle text UNIQUE DEFAULT 'none';
--- postgresql contract: the key
ALTER TABLE users ADD COLUMN id2 bigint PRIMARY KEY;
--- postgresql expand: an index is new
CREATE INDEX idx_orders_customer ON orders (customer_id);
--- postgresql expand: an index is new
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_created ON orders USING btree (created_at DESC) WHERE deleted_at IS NULL;
--- postgresql expand: an index is new
CREATE INDEX idx_body ON documents USING gin (body jsonb_path_ops);
--- postgresql contract: refuses rows
CREATE UNIQUE INDEX idx_users_email ON users (lower(email));
--- postgresql contract: refuses rows
CREATE UNIQUE INDEX CONCURRENTLY users_handle_key ON users (handle);
--- postgresql expand: the table is new
CREATE TABLE handles (id bigint, handle text);
CREATE UNIQUE INDEX handles_handle_key ON handles (handle);
ALTER TABLE handles ADD CONSTRAINT handles_pkey PRIMARY KEY (id);
ALTER TABLE handles ALTER COLUMN handle SET NOT NULL;
--- postgresql unknown: too slow
DROP INDEX IF EXISTS idx_orders_customer;
--- postgresql unknown: too slow
DROP INDEX CONCURRENTLY idx_orders_customer;
--- postgresql contract: read or write the column
ALTER TABLE orders DROP COLUMN legacy_total;
--- postgresql contract: read or write the column
ALTER TABLE orders DROP COLUMN IF EXISTS legacy_total CASCADE;
--- postgresql contract: need the table
DROP TABLE legacy_orders;
--- postgresql contract: need the table
DROP TABLE IF EXISTS legacy_orders, legacy_items CASCADE;
--- postgresql contract: need the view
DROP VIEW active_users;
--- postgresql contract: need the materialized view
DROP MATERIALIZED VIEW daily_totals;
--- postgresql contract: need the sequence
DROP SEQUENCE order_numbers;
--- postgresql contract: need the type
DROP TYPE order_status;
--- postgresql contract: need the schema
DROP SCHEMA legacy CASCADE;
--- postgresql contract: older release may need
DROP FUNCTION total(bigint);
--- postgresql contract: older release may need
DROP EXTENSION pg_trgm;
--- postgresql contract: old name
ALTER TABLE orders RENAME COLUMN total TO amount;
--- postgresql contract: old name
ALTER TABLE orders RENAME TO purchases;
--- postgresql contract: old name
ALTER TYPE order_status RENAME TO purchase_status;
--- postgresql contract: old name
ALTER TYPE order_status RENAME VALUE 'open' TO 'new';
--- postgresql unknown: does not know
ALTER TYPE order_status ADD VALUE 'refunded';
--- postgresql unknown: does not know
ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'refunded' AFTER 'paid';
--- postgresql contract: leave the column empty
ALTER TABLE orders ALTER COLUMN customer_id SET NOT NULL;
--- postgresql unknown: nothing where there was a value
ALTER TABLE orders ALTER COLUMN customer_id DROP NOT NULL;
--- postgresql unknown: another value
ALTER TABLE orders ALTER COLUMN priority SET DEFAULT 5;
--- postgresql contract: leave the column out
ALTER TABLE orders ALTER COLUMN priority DROP DEFAULT;
--- postgresql unknown: what the type was before
ALTER TABLE orders ALTER COLUMN id TYPE bigint;
--- postgresql unknown: what the type was before
ALTER TABLE orders ALTER COLUMN code TYPE varchar(8) USING left(code, 8);
--- postgresql contract: refuses rows
ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);
--- postgresql contract: refuses rows
ALTER TABLE orders ADD CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
--- postgresql contract: refuses rows
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
--- postgresql contract: refuses rows
ALTER TABLE users ADD PRIMARY KEY (id);
--- postgresql unknown: count on what it drops
ALTER TABLE users DROP CONSTRAINT users_email_key;
--- postgresql unknown: count on what it drops
ALTER TABLE orders DROP CONSTRAINT IF EXISTS fk_customer;
--- postgresql expand: fill
ALTER TABLE orders ADD COLUMN amount_cents bigint;
UPDATE orders SET amount_cents = amount * 100;
--- postgresql contract: does not write the column
ALTER TABLE orders ADD COLUMN amount_cents bigint;
UPDATE orders SET amount_cents = amount * 100;
ALTER TABLE orders ALTER COLUMN amount_cents SET NOT NULL;
--- postgresql expand: fills itself
ALTER TABLE orders ADD COLUMN kind text DEFAULT 'web';
ALTER TABLE orders ALTER COLUMN kind SET NOT NULL;
--- postgresql expand: the column is new
ALTER TABLE orders ADD COLUMN kind text;
ALTER TABLE orders ALTER COLUMN kind SET DEFAULT 'web';
ALTER TABLE orders ALTER COLUMN kind SET NOT NULL;
--- postgresql unknown: read the changed values otherwise
UPDATE orders SET status = 'paid' WHERE status = 'done';
--- postgresql contract: rows are gone
DELETE FROM sessions;
--- postgresql contract: rows are gone
TRUNCATE TABLE carts;
--- postgresql unknown: new rows
INSERT INTO countries (code, name) VALUES ('XK', 'Kosovo') ON CONFLICT DO NOTHING;
--- postgresql expand: which migrations have run
INSERT INTO schema_migrations (version) VALUES ('20261130101500');
--- postgresql expand: the table is new
CREATE TABLE kinds (id int, name text);
INSERT INTO kinds VALUES (1, 'web'), (2, 'app');
--- postgresql expand: a view is new
CREATE VIEW active_users AS SELECT id, email FROM users WHERE active;
--- postgresql unknown: the view may say something else
CREATE OR REPLACE VIEW active_users AS SELECT id FROM users WHERE active;
--- postgresql expand: a view is new
CREATE MATERIALIZED VIEW daily_totals AS SELECT date_trunc('day', created_at) AS day, sum(amount) FROM orders GROUP BY 1;
--- postgresql expand: a function is new
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END; $$;
--- postgresql unknown: the function may do something else
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END;
$$;
--- postgresql unknown: reading or writing a table
CREATE TRIGGER touch_orders BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
--- postgresql unknown: count on what it drops
DROP TRIGGER touch_orders ON orders;
--- postgresql contract: fewer rows
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
--- postgresql unknown: reading or writing a table
CREATE POLICY own_orders ON orders USING (customer_id = current_setting('app.customer')::bigint);
--- postgresql expand: only gives rights
GRANT SELECT, INSERT ON orders TO reporting;
--- postgresql contract: rights
REVOKE ALL ON orders FROM shop;
--- postgresql expand: only describes
COMMENT ON COLUMN orders.note IS 'what the customer wrote';
--- postgresql expand: something new
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--- postgresql expand: something new
CREATE TYPE order_status AS ENUM ('open', 'paid');
--- postgresql expand: something new
CREATE SEQUENCE order_numbers START 1000;
--- postgresql expand: something new
CREATE SCHEMA IF NOT EXISTS reporting;
--- postgresql expand: something new
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
--- postgresql unknown: a program
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE mood AS ENUM ('ok'); END IF; END $$;
--- postgresql unknown: functions that it calls
SELECT create_hypertable('metrics', 'time');
--- postgresql expand:
SELECT pg_catalog.set_config('search_path', '', false);
SELECT setval('order_numbers', 1000, true);
--- postgresql expand: may be left out
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN note text;
COMMIT;
--- postgresql contract: read or write the column
-- The new column is filled by the release before this one.
ALTER TABLE orders ADD COLUMN amount numeric(12, 2);
ALTER TABLE orders DROP COLUMN total;
--- postgresql unknown: old name
ALTER TABLE orders RENAME CONSTRAINT positive TO amount_positive;
--- postgresql unknown: rights
ALTER TABLE orders OWNER TO shop_admin;
--- postgresql unknown: the older release finds other rows
ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
--- postgresql contract: rows are gone
ALTER TABLE events DETACH PARTITION events_2020;
--- postgresql expand: the table is new
CREATE TABLE staging (id int);
DROP TABLE staging;
--- postgresql expand: the table is new
CREATE TABLE purchases (id int);
ALTER TABLE purchases RENAME TO sales;
ALTER TABLE sales ADD COLUMN amount int NOT NULL;
--- goose expand: may be left out
-- +goose Up
ALTER TABLE orders ADD COLUMN note text;
-- +goose Down
ALTER TABLE orders DROP COLUMN note;
--- goose contract: need the table
-- +goose Up
DROP TABLE legacy_orders;
-- +goose Down
CREATE TABLE legacy_orders (id int);
--- dbmate expand: a table is new
-- migrate:up
CREATE TABLE users (id integer, name varchar(255));
-- migrate:down
DROP TABLE users;
--- sql-migrate contract: old name
-- +migrate Up
ALTER TABLE people RENAME COLUMN name TO full_name;
-- +migrate Down
ALTER TABLE people RENAME COLUMN full_name TO name;
--- postgresql unknown: cannot be read
ALTER TABEL orders ADD COLUM note;
--- postgresql unknown: cannot be read
CREATE SOMETHING odd;
--- postgresql contract: read or write the column
THIS IS NO SQL;
ALTER TABLE orders DROP COLUMN note;
--- postgresql unknown: cannot be read
ALTER TABLE orders ADD COLUMN note text;
{{ if .Production }} ALTER TABLE orders SET LOGGED; {{ end }}
--- mysql expand: a table is new
CREATE TABLE `carts` (`id` bigint unsigned NOT NULL AUTO_INCREMENT, `note` varchar(255) DEFAULT NULL, PRIMARY KEY (`id`), KEY `idx_note` (`note`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
--- mysql expand: may be left out
ALTER TABLE `orders` ADD COLUMN `note` varchar(255) NULL AFTER `total`;
--- mysql expand: may be left out
ALTER TABLE orders ADD COLUMN priority tinyint(1) NOT NULL DEFAULT '0' FIRST;
--- mysql expand: may be left out
ALTER TABLE orders ADD COLUMN created_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6);
--- mysql contract: it has no default
ALTER TABLE orders ADD COLUMN currency char(3) NOT NULL COMMENT 'ISO 4217';
--- mysql contract: old name
ALTER TABLE orders CHANGE COLUMN total amount decimal(12,2) NOT NULL;
--- mysql unknown: was before
ALTER TABLE orders CHANGE total total decimal(14,2) NOT NULL;
--- mysql unknown: was before
ALTER TABLE orders MODIFY COLUMN note text;
--- mysql unknown: was before
ALTER TABLE orders MODIFY note varchar(20) NOT NULL;
--- mysql contract: read or write the column
ALTER TABLE orders DROP COLUMN legacy, DROP COLUMN legacy2;
--- mysql contract: read or write the column
ALTER TABLE orders DROP legacy;
--- mysql expand: an index is new
CREATE INDEX idx_orders_customer ON orders (customer_id) USING BTREE;
--- mysql contract: refuses rows
ALTER TABLE users ADD UNIQUE KEY uq_email (email);
--- mysql expand: an index is new
ALTER TABLE orders ADD INDEX idx_created (created_at);
--- mysql expand: an index is new
ALTER TABLE articles ADD FULLTEXT INDEX ft_body (body);
--- mysql unknown: count on what it drops
ALTER TABLE orders DROP INDEX idx_created;
--- mysql unknown: too slow
DROP INDEX idx_created ON orders;
--- mysql contract: find rows by the key
ALTER TABLE orders DROP PRIMARY KEY;
--- mysql unknown: count on what it drops
ALTER TABLE orders DROP FOREIGN KEY fk_customer;
--- mysql contract: refuses rows
ALTER TABLE orders ADD CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL;
--- mysql contract: old name
RENAME TABLE orders TO purchases;
--- mysql contract: old name
ALTER TABLE orders RENAME TO purchases;
--- mysql contract: old name
ALTER TABLE orders RENAME COLUMN total TO amount;
--- mysql unknown: was before
ALTER TABLE orders MODIFY status enum('open','paid','refunded') NOT NULL;
--- mysql unknown: cannot be read
ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4;
--- mysql unknown: new rows
INSERT IGNORE INTO settings (name, value) VALUES ('theme', 'dark');
--- mysql unknown: new rows
REPLACE INTO settings (name, value) VALUES ('theme', 'dark');
--- mysql contract: need the table
DROP TABLE IF EXISTS `old_orders`;
--- mysql unknown: cannot be read
DELIMITER //
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW BEGIN SET NEW.updated_at = NOW(); END//
DELIMITER ;
--- mysql expand: may be left out
SET FOREIGN_KEY_CHECKS = 0;
ALTER TABLE orders ADD COLUMN note text;
SET FOREIGN_KEY_CHECKS = 1;
--- mysql expand: may be left out
ALTER TABLE orders ADD COLUMN note json, ALGORITHM=INSTANT;
--- sqlite expand: a table is new
CREATE TABLE "carts" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "note" text NULL);
--- sqlite expand: may be left out
ALTER TABLE orders ADD COLUMN note TEXT;
--- sqlite contract: it has no default
ALTER TABLE orders ADD COLUMN note TEXT NOT NULL;
--- sqlite contract: older release may need the table
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_orders" ("id" integer PRIMARY KEY, "amount" integer NOT NULL);
INSERT INTO "new_orders" ("id", "amount") SELECT "id", "total" FROM "orders";
DROP TABLE "orders";
ALTER TABLE "new_orders" RENAME TO "orders";
PRAGMA foreign_keys=ON;
--- sqlite contract: old name
ALTER TABLE orders RENAME TO purchases;
--- sqlite contract: read or write the column
ALTER TABLE orders DROP COLUMN note;
--- sqlite expand: an index is new
CREATE INDEX IF NOT EXISTS "orders_customer" ON "orders" ("customer_id");
--- sqlite contract: refuses rows
CREATE UNIQUE INDEX "users_email" ON "users" ("email");
--- sqlite expand: something new
CREATE VIRTUAL TABLE search USING fts5(title, body);
--- sqlite unknown: new rows
INSERT OR IGNORE INTO settings VALUES ('theme', 'dark');
--- sqlserver expand: a table is new
CREATE TABLE [dbo].[Carts] ([Id] bigint IDENTITY(1,1) NOT NULL PRIMARY KEY, [Note] nvarchar(max) NULL);
GO
--- sqlserver expand: may be left out
ALTER TABLE [dbo].[Orders] ADD [Note] nvarchar(200) NULL;
GO
--- sqlserver expand: may be left out
ALTER TABLE dbo.Orders ADD Priority int NOT NULL CONSTRAINT DF_Orders_Priority DEFAULT (0);
--- sqlserver contract: it has no default
ALTER TABLE dbo.Orders ADD Currency nchar(3) NOT NULL;
--- sqlserver expand: may be left out
ALTER TABLE dbo.Orders ADD Number int IDENTITY(1,1) NOT NULL;
--- sqlserver contract: old name
EXEC sp_rename 'dbo.Orders.Total', 'Amount', 'COLUMN';
--- sqlserver contract: read or write the column
ALTER TABLE dbo.Orders DROP COLUMN Legacy;
GO
--- sqlserver unknown: count on what it drops
ALTER TABLE dbo.Orders DROP CONSTRAINT DF_Orders_Priority;
--- sqlserver expand: an index is new
CREATE NONCLUSTERED INDEX IX_Orders_Customer ON dbo.Orders (CustomerId) INCLUDE (Total);
--- sqlserver contract: refuses rows
CREATE UNIQUE NONCLUSTERED INDEX UX_Users_Email ON dbo.Users (Email);
--- sqlserver contract: need the table
DROP TABLE [dbo].[LegacyOrders];
--- sqlserver unknown: cannot be read
ALTER TABLE dbo.Orders ALTER COLUMN Note nvarchar(50) NOT NULL;
--- sqlserver unknown: procedure may do something else
CREATE OR ALTER PROCEDURE dbo.Total AS BEGIN SELECT 1; END
--- sqlserver unknown: a program
IF NOT EXISTS (SELECT 1 FROM sys.columns WHERE name = 'Note') ALTER TABLE dbo.Orders ADD Note nvarchar(10) NULL;
--- sqlserver unknown: a program
EXEC dbo.Backfill @batch = 1000;
--- sqlserver contract: rows are gone
DELETE FROM dbo.Sessions WHERE Expires < GETDATE();
--- sqlserver expand: which migrations have run
INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion]) VALUES (N'20261130_Note', N'9.0.0');
--- django expand: may be left out
BEGIN;
--
-- Add field note to order
--
ALTER TABLE "shop_order" ADD COLUMN "note" varchar(200) NULL;
COMMIT;
--- rails expand: an index is new
CREATE INDEX "index_orders_on_customer_id" ON "orders" ("customer_id");
--- prisma expand: may be left out
-- AlterTable
ALTER TABLE "Order" ADD COLUMN     "note" TEXT;
--- prisma contract: it has no default
/*
  Warnings:

  - Added the required column `currency` to the `Order` table without a default value.
*/
-- AlterTable
ALTER TABLE "Order" ADD COLUMN     "currency" TEXT NOT NULL;
--- prisma contract: refuses rows
-- AddForeignKey
ALTER TABLE "Order" ADD CONSTRAINT "Order_customerId_fkey" FOREIGN KEY ("customerId") REFERENCES "Customer"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
--- alembic expand: which migrations have run
UPDATE alembic_version SET version_num='abc123' WHERE alembic_version.version_num = 'def456';
--- liquibase expand: may be left out
--liquibase formatted sql
--changeset ann:1
ALTER TABLE orders ADD note varchar(255);
--rollback ALTER TABLE orders DROP COLUMN note;
--- atlas expand: may be left out
-- Modify "orders" table
ALTER TABLE "public"."orders" ADD COLUMN "note" text NULL;
--- atlas contract: read or write the column
-- Modify "users" table
ALTER TABLE "public"."users" DROP COLUMN "name", ADD COLUMN "full_name" text NULL;
--- flyway expand: may be left out
ALTER TABLE ${schema}.orders ADD COLUMN note text;
--- postgresql contract: need the table
CREATE TABLE archive.orders (id int);
DROP TABLE public.orders;
--- postgresql contract: read or write the column
CREATE TABLE IF NOT EXISTS orders (id int);
ALTER TABLE orders DROP COLUMN note;
--- postgresql contract: leave the column empty
ALTER TABLE orders ADD COLUMN IF NOT EXISTS kind text DEFAULT 'web';
ALTER TABLE orders ALTER COLUMN kind SET NOT NULL;
--- postgresql unknown: in the midst of a query
WITH gone AS (DELETE FROM sessions RETURNING id) SELECT id FROM gone;
--- postgresql expand: may be left out
ALTER TABLE orders ADD COLUMN id2 bigserial UNIQUE;
--- mysql expand: may be left out
ALTER TABLE orders ADD COLUMN id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY;
--- postgresql contract: need the table
BEGIN;
DROP TABLE orders;
ROLLBACK;
--- postgresql expand: a table is new
CREATE TEMPORARY TABLE fixed AS SELECT id FROM orders;
DROP TABLE fixed;
--- psql unknown: it cannot be read
CREATE INDEX i ON t (a);
\i drop_columns.sql
--- psql unknown: it cannot be read
CREATE INDEX i ON t (a);
  \ir ../drop_columns.sql
--- psql unknown: it cannot be read
SELECT 'DROP TABLE ' || name FROM t \gexec
--- psql unknown: it cannot be read
CREATE INDEX i ON t (a);
\echo begin \i drop_columns.sql
--- psql unknown: it cannot be read
CREATE INDEX i ON t (a);
\! psql -f drop_columns.sql
--- psql unknown: it cannot be read
CREATE INDEX i ON t (a);
\copy t from rows.csv
--- psql expand: an index is new
\set ON_ERROR_STOP on
\connect shop
CREATE INDEX i ON t (a);
--- mysql unknown: it cannot be read
CREATE INDEX i ON t (a);
source drop_columns.sql
--- mysql unknown: it cannot be read
CREATE INDEX i ON t (a);
\. drop_columns.sql
--- mysql unknown: it cannot be read
CREATE INDEX i ON t (a);
system mysql < drop_columns.sql
--- sqlcmd unknown: it cannot be read
CREATE INDEX i ON t (a);
GO
:r drop_columns.sql
GO
--- sqlcmd unknown: it cannot be read
SELECT 1
:r drop_columns.sql
--- sqlcmd expand: an index is new
:setvar name shop
:on error exit
CREATE INDEX i ON t (a);
--- sqlplus unknown: it cannot be read
CREATE INDEX i ON t (a);
@drop_columns.sql
--- postgresql contract: need the table
CREATE TABLE "T" (a int);
DROP TABLE t;
--- postgresql contract: need the table
CREATE TABLE "Orders" (a int);
DROP TABLE Orders;
--- postgresql contract: rows are gone
CREATE TABLE "T" (a int);
DELETE FROM t;
--- postgresql contract: read or write the column
ALTER TABLE t ADD COLUMN "A" int;
ALTER TABLE t DROP COLUMN a;
--- mysql contract: need the table
CREATE TABLE Orders (a int);
DROP TABLE orders;
--- postgresql expand: the table is new
CREATE TABLE "T" (a int);
DROP TABLE "T";
--- postgresql expand: the table is new
CREATE TABLE "t" (a int);
DROP TABLE t;
--- postgresql expand: a table is new
CREATE TABLE t (
  id int,
  source text
);
--- PostgreSQL contract: a check refuses nothing there
ALTER TABLE orders ADD COLUMN note text CHECK (note IS NOT NULL);
--- PostgreSQL unknown: a check may refuse rows
ALTER TABLE orders ADD COLUMN note text CHECK (total > 0);
--- PostgreSQL expand: may be left out
ALTER TABLE orders ADD COLUMN state text CHECK (state IN ('new', 'paid'));
--- MySQL expand: may be left out
ALTER TABLE orders ADD COLUMN weight int CHECK (weight BETWEEN 1 AND 90);
--- MariaDB unknown: 
CREATE TABLE a (id int);
/*M! DROP TABLE b */;
--- MariaDB unknown: 
ALTER TABLE a ADD COLUMN b int /*M!100100 , DROP COLUMN c */;
