-- Secrets at rest: AES-256-GCM with a key that is derived once from the passphrase or key file.
-- A series of its own: they may live in a file of their own (--secrets-sqlite-path).

create table secrets (
  -- `global` or `pipeline/<id>`
  scope text not null,
  key text not null,
  -- nonce, ciphertext, tag
  encrypted_value blob not null,
  version integer not null default 1,
  updated_at integer not null,
  primary key (scope, key)
) strict, without rowid;

create table kdf_params (
  id integer primary key check (id = 1),
  algorithm text not null,
  salt blob not null,
  time integer not null,
  memory integer not null,
  threads integer not null,
  -- a known text under the derived key: a wrong passphrase is found at start
  check_value blob not null
) strict;
