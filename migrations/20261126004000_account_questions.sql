-- Connections that came many at once, whose account only the provider's userinfo endpoint tells. It is asked
-- about one after the other, at an even pace. No row has a key to its connection: checking it would lock the
-- row of each. One whose connection is gone goes when its turn comes.
CREATE TABLE account_questions (
    connection_id uuid PRIMARY KEY,
    client_id uuid NOT NULL,
    -- Not before.
    ask_at timestamptz NOT NULL,
    -- How often it was asked in vain.
    tries integer NOT NULL DEFAULT 0
);
CREATE INDEX account_questions_by_client ON account_questions (client_id, ask_at);

-- Whose turn it is: one replica at a time asks for a client.
CREATE TABLE account_rounds (
    client_id uuid PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    next_at timestamptz NOT NULL,
    -- How often in a row the provider was not able to answer.
    failures integer NOT NULL DEFAULT 0
);

-- Those that are here already. Of a provider that does not tell, they go again in the first rounds.
INSERT INTO account_questions (connection_id, client_id, ask_at)
SELECT id, client_id, created_at FROM connections
WHERE account_id IS NULL AND grant_type = 'import' AND state IN ('active', 'retrying', 'in_doubt');
INSERT INTO account_rounds (client_id, next_at)
SELECT DISTINCT client_id, timestamptz '-infinity' FROM account_questions;
ALTER TABLE account_questions
    ADD FOREIGN KEY (client_id) REFERENCES clients (id) ON DELETE CASCADE;
