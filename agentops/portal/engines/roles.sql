-- The three roles. `up` runs this on its own PostgreSQL at every start; for a managed server a database administrator
-- runs it once (psql -f roles.sql), sets the passwords and makes the database with agentops_owner as its owner.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_owner') THEN
        CREATE ROLE agentops_owner LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_app') THEN
        -- NOINHERIT: what staff may read is there only after SET LOCAL ROLE, in the transaction that asks for it.
        CREATE ROLE agentops_app LOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_staff') THEN
        CREATE ROLE agentops_staff NOLOGIN;
    END IF;
    IF NOT pg_has_role('agentops_app', 'agentops_staff', 'MEMBER') THEN
        IF current_setting('server_version_num')::int >= 160000 THEN
            EXECUTE 'GRANT agentops_staff TO agentops_app WITH INHERIT FALSE, SET TRUE';
        ELSE
            GRANT agentops_staff TO agentops_app;
        END IF;
    END IF;
END
$$;
-- Without this, a worker that is killed or stopped for time leaves its statement running, with the locks that others wait for.
ALTER ROLE agentops_owner SET client_connection_check_interval = '5s';
ALTER ROLE agentops_app SET client_connection_check_interval = '5s';
