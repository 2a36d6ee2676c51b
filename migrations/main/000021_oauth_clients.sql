-- Programs that people let in through the browser: MCP clients register by themselves, somebody consents,
-- and a code is exchanged for tokens. Only hashes of what they hold are here.
create table oauth_clients (
  id text primary key,
  name text not null,
  -- a JSON array: where browsers may be sent with a code
  redirect_uris text not null,
  -- near while nobody has consented to it, far after
  expires_at integer not null
) strict, without rowid;

create index oauth_clients_by_expiry on oauth_clients (expires_at);

create table oauth_codes (
  code_hash blob primary key,
  client text not null references oauth_clients (id) on delete cascade,
  user integer not null references users (id) on delete cascade,
  redirect_uri text not null,
  -- of the verifier that the client has kept
  challenge text not null,
  resource text not null,
  -- a JSON array
  scopes text not null,
  expires_at integer not null
) strict, without rowid;

create index oauth_codes_by_expiry on oauth_codes (expires_at);

-- What a client may do for somebody. Its access tokens are signed and name this row; its refresh token
-- changes at each use, and an old one that comes again ends the grant.
create table oauth_grants (
  seq integer primary key autoincrement,
  id text not null unique,
  client text not null references oauth_clients (id) on delete cascade,
  user integer not null references users (id) on delete cascade,
  scopes text not null,
  resource text not null,
  refresh_hash blob not null unique,
  former_hash blob unique,
  expires_at integer not null
) strict;

create index oauth_grants_by_user on oauth_grants (user, client, seq);
create index oauth_grants_by_expiry on oauth_grants (expires_at);
