import ApusModel
import GRDB

/// The tables of the journal's database and how they came to be.
///
/// Every table has a rowid, so that rows next to damaged ones can still be found by number. Tables of many rows a job grow at their
/// end only and are found by an index: streams that run side by side share pages.
enum JournalSchema {
    /// Brings a database of any earlier version to the present one.
    ///
    /// - Throws: `unsupported` for a database of a later version.
    static func migrate(_ queue: DatabaseQueue) throws {
        if try queue.read(migrator.hasBeenSuperseded) { throw newer }
        try migrator.migrate(queue)
    }

    /// Checks that a database has the present version, without a change.
    ///
    /// - Throws: `unsupported` for a later version.
    static func verify(_ database: Database) throws {
        if try migrator.hasBeenSuperseded(database) { throw newer }
    }

    private static let newer = ApusError(
        .unsupported,
        "the journal was written by a newer version of Apus; run that version, or give another folder with --data"
    )

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { database in
            try database.execute(sql: version1)
        }
        return migrator
    }

    private static let version1 = """
        CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;

        CREATE TABLE jobs (
            stream INTEGER PRIMARY KEY,
            job INTEGER NOT NULL UNIQUE,
            key TEXT NOT NULL,
            client TEXT NOT NULL,
            streams INTEGER NOT NULL,
            accepted_at INTEGER NOT NULL,
            durability INTEGER NOT NULL,
            chose_seed INTEGER NOT NULL,
            deadline INTEGER,
            token_target INTEGER,
            request BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            ended_at INTEGER,
            bytes INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX jobs_key ON jobs (key, stream);
        CREATE INDEX jobs_live ON jobs (stream) WHERE ended_at IS NULL;
        CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

        CREATE TABLE leases (
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            at_index INTEGER NOT NULL,
            worker TEXT NOT NULL,
            model TEXT NOT NULL,
            fingerprint_high INTEGER NOT NULL,
            fingerprint_low INTEGER NOT NULL,
            exactness TEXT NOT NULL,
            context_tokens INTEGER NOT NULL,
            losses INTEGER NOT NULL,
            lost INTEGER NOT NULL,
            is_hedge INTEGER NOT NULL,
            leased_at INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX leases_stream ON leases (stream, epoch);

        CREATE TABLE ends (
            stream INTEGER PRIMARY KEY,
            reason TEXT NOT NULL,
            ended_at INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            outcome BLOB NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX ends_dead ON ends (ended_at, stream) WHERE reason IN ('failed', 'expired');

        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            first INTEGER NOT NULL,
            count INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            payload BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX chunks_stream ON chunks (stream, first);

        CREATE TABLE log (
            seq INTEGER PRIMARY KEY,
            checksum INTEGER NOT NULL,
            payload BLOB NOT NULL
        ) STRICT;
        """
}
