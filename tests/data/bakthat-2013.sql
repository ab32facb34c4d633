-- ~/.bakthat.sqlite as bakthat 0.6 made and filled it in 2013, by its own SQL (peewee 2.0 to 2.2 sent these statements).
CREATE TABLE "backups" ("id" INTEGER NOT NULL PRIMARY KEY, "backend" VARCHAR(255) NOT NULL, "backend_hash" VARCHAR(255), "backup_date" INTEGER NOT NULL, "filename" TEXT NOT NULL, "is_deleted" SMALLINT NOT NULL, "last_updated" INTEGER NOT NULL, "metadata" VARCHAR(255) NOT NULL, "size" INTEGER NOT NULL, "stored_filename" TEXT NOT NULL, "tags" VARCHAR(255) NOT NULL);
CREATE INDEX "backups_backup_date" ON "backups" ("backup_date");
CREATE INDEX "backups_backend_hash" ON "backups" ("backend_hash");
CREATE UNIQUE INDEX "backups_stored_filename" ON "backups" ("stored_filename");
CREATE INDEX "backups_filename" ON "backups" ("filename");
CREATE INDEX "backups_backend" ON "backups" ("backend");
CREATE TABLE "jobs" ("id" INTEGER NOT NULL PRIMARY KEY, "filename" VARCHAR(255) NOT NULL, "job_id" VARCHAR(255) NOT NULL);
CREATE INDEX "jobs_filename" ON "jobs" ("filename");
CREATE TABLE "inventory" ("id" INTEGER NOT NULL PRIMARY KEY, "archive_id" VARCHAR(255) NOT NULL, "filename" VARCHAR(255) NOT NULL);
CREATE UNIQUE INDEX "inventory_archive_id" ON "inventory" ("archive_id");
CREATE INDEX "inventory_filename" ON "inventory" ("filename");
CREATE TABLE "config" ("id" INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(255) NOT NULL, "value" VARCHAR(255) NOT NULL);
CREATE UNIQUE INDEX "config_key" ON "config" ("key");
CREATE TABLE "history" ("id" INTEGER NOT NULL PRIMARY KEY, "data" VARCHAR(255) NOT NULL, "ts" INTEGER NOT NULL, "action" VARCHAR(255) NOT NULL, "model" VARCHAR(255) NOT NULL, "pk" VARCHAR(255) NOT NULL);
CREATE INDEX "history_ts" ON "history" ("ts");
CREATE INDEX "history_action" ON "history" ("action");
CREATE INDEX "history_model" ON "history" ("model");
CREATE INDEX "history_pk" ON "history" ("pk");

-- The example of the user guide ("Stored metadata"): its backup_date is local time, 3600 s before the date in the name.
INSERT INTO "backups" VALUES (1, 's3', '9813aa99062d7a226f3327478eff3f63bf5603cd86999a42a2655f5d460e8e143c63822cb8e2f8998a694afee8d30c4924923dff695c6e5f739dffdd65768408', 1362508575, 'mydir', 0, 1362508727, '{"is_enc": true}', 3120, 'mydir.20130305193615.tgz.enc', '[]');
-- An ordinary backup of 0.6.
INSERT INTO "backups" VALUES (2, 's3', 'aa', 1370375455, 'db', 0, 1370375455, '{"is_enc": false, "client": "host"}', 5368709120, 'db.20130604195055.tgz', 'daily db');
-- Before 0.4: no dot before the date. Metadata never written.
INSERT INTO "backups" VALUES (3, 's3', 'aa', 1348736400, 'bak', 0, 1348736400, 'null', 10, 'bak20120927110000.tgz', '');
-- A deleted backup in Glacier, its tags as 2013's sync left a list.
INSERT INTO "backups" VALUES (4, 'glacier', 'bb', 1362000000, 'photos', 1, 1362000100, '{"is_enc": true, "client": "host"}', 700, 'photos.20130227212000.tgz.enc', '[u''a'', u''b'']');
-- KeyValue: the stored filename is the key.
INSERT INTO "backups" VALUES (5, 's3', 'aa', 1363800000, 'mykey', 0, 1363800000, '{"is_gzipped": true, "is_enc": false, "KeyValue": true}', 42, 'mykey', '');
-- What no version should have written, and one did.
INSERT INTO "backups" VALUES (6, 's3', NULL, 1362508575.75, 'odd', 0, '2013-03-05 19:36:15', '', 'many', 'odd.20130305193615.tgz', '["x", "y z"]');
INSERT INTO "backups" VALUES (7, 's3', 'aa', '2013-03-05T19:36:15', 'odd', 0, 1362508575, '{broken', 1, 'odd-7', 'x  x');
INSERT INTO "backups" VALUES (8, 's3', 'aa', 'never', 'odd', 0, 'never', '[1]', 1, 'odd.20130305193616.tgz', '[broken');
INSERT INTO "backups" VALUES (9, 's3', 'aa', 99999999999999999, 'odd', 0, '1362508575', '"{\"is_enc\": true}"', 1, 'odd.20130305193617.tgz', '');

INSERT INTO "inventory" VALUES (1, 'archive-of-photos', 'photos.20130227212000.tgz.enc');
INSERT INTO "inventory" VALUES (2, 'archive-of-db', 'db.20130604195055.tgz');
INSERT INTO "jobs" VALUES (1, 'photos.20130227212000.tgz.enc', 'job-of-2013');
INSERT INTO "config" VALUES (1, 'sync_ts', '1362508727');
INSERT INTO "config" VALUES (2, 'client_id', '"abc"');
INSERT INTO "history" VALUES (1, '{"stored_filename": "mydir.20130305193615.tgz.enc"}', 1362508727, 'create', 'Backups', 'mydir.20130305193615.tgz.enc');
