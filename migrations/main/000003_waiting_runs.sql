-- A run whose driver is unavailable goes back to the queue: it is not claimed again before a time,
-- and says why it waits. Empty or null: it waits for nothing but its turn.

alter table runs add column available_at integer;
alter table runs add column wait_reason text not null default '';
