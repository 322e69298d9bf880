-- Run once, by the first start of compose.yaml's PostgreSQL. The drafts' own database is POSTGRES_DB.
CREATE DATABASE engine;
CREATE DATABASE hapi;
CREATE DATABASE aidbox;
