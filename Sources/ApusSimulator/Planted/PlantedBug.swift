/// A bug that is planted at the edge of the unchanged core, to show that the checkers notice it.
///
/// Facts are changed before the machine hears them, turns before they are committed or sent, or the driver's steps are done in
/// a wrong order. Only the simulator has them; no product that serves anybody links it.
public enum PlantedBug: String, CaseIterable, Sendable {
    case staleRowsTaken, staleEndsTaken
    case acceptedBeforeCommit, releasedBeforeCommit, assignedBeforeCommit, acknowledgedBeforeCommit
    case resumedOneLate, resumedOneEarly
    case creditForgotten, creditInvented
    case tokensSentTwice, tokenSkipped, textShifted, lastTokensCut
    case endForgotten, endSentTwice, endBeforeTokens, endJournaledTwice, endUnlikeJournal
    case cancelIgnored, revocationIgnored
    case leaseNotJournaled, tokensNotJournaled, endNotJournaled
    case limitRaised, historyCut, lossForgiven, windowIgnored, refusalIgnored
    case lagNotExcused, timeIgnored, wallClock
    case seedChanged, keyForgotten
    case siblingSeedShared, siblingsForgotten
    case usageDoubled, continuityEmbellished
    case shareEvaded
    case tailTruncated, tokensNotReplayed, deadlineRestarted, epochReused
    case effectsUnordered
    case promisedWithoutJournal, releasedWithoutJournal, turnDropped, endAfterFailedRead
    case tokensTrusted, tornTailTaken, numbersReused, unknownUnanswered
    case endedNotRecalled, recalledAnother, forgottenEarly, retryReseeded

    /// What is done wrong, in a line.
    public var summary: String {
        switch self {
        case .staleRowsTaken: "a fenced attempt's rows are told under the present epoch"
        case .staleEndsTaken: "a fenced attempt's end is told under the present epoch"
        case .acceptedBeforeCommit: "a job is accepted towards its client before the commit"
        case .releasedBeforeCommit: "tokens are released before the commit"
        case .assignedBeforeCommit: "an attempt is sent to its worker before the commit"
        case .acknowledgedBeforeCommit: "tokens are acknowledged to their worker before the commit"
        case .resumedOneLate: "a client that comes back gets its stream from the index after the one it asked for"
        case .resumedOneEarly: "a client that comes back gets its stream from the index before the one it asked for"
        case .creditForgotten: "one grant of credit in four is lost"
        case .creditInvented: "clients are sent 16 tokens more than they granted"
        case .tokensSentTwice: "one message of tokens in sixteen is sent twice"
        case .tokenSkipped: "the first row of one message of tokens in sixteen is left out"
        case .textShifted: "the texts of one message of tokens in sixteen are off by a byte"
        case .lastTokensCut: "a stream's tokens that come in the turn of its end are not sent"
        case .endForgotten: "one end in eight is not told to its client"
        case .endSentTwice: "one end in eight is told twice"
        case .endBeforeTokens: "answers and ends go out before the tokens of the turn"
        case .endJournaledTwice: "one end in eight is journaled twice"
        case .endUnlikeJournal: "one client in eight is told of another end than the journal has"
        case .cancelIgnored: "a cancel is answered and nothing else is done"
        case .revocationIgnored: "workers are never told to drop an attempt"
        case .leaseNotJournaled: "one attempt in five is not journaled"
        case .tokensNotJournaled: "the tokens of one turn in sixteen are not journaled"
        case .endNotJournaled: "one end in eight is not journaled"
        case .limitRaised: "a failover may generate as many tokens again"
        case .historyCut: "a failover goes on from one token less than there are"
        case .lossForgiven: "a lost worker is treated as one that left in good order"
        case .windowIgnored: "workers may compute far beyond their window"
        case .refusalIgnored: "workers that take nothing new are given work"
        case .lagNotExcused: "the coordinator's own standstill counts as its workers' silence"
        case .timeIgnored: "nobody looks at the time"
        case .wallClock: "the machine is told the wall clock, which jumps"
        case .seedChanged: "a repeated submit is answered with another seed"
        case .keyForgotten: "one submit in four is told under a new key"
        case .siblingSeedShared: "every stream of a job is computed with the job's seed"
        case .siblingsForgotten: "a repeated submit follows the first stream of its job only"
        case .usageDoubled: "tokens are counted again for each further attempt"
        case .continuityEmbellished: "every stream is said to be exact"
        case .shareEvaded: "each submit counts for a client of its own"
        case .tailTruncated: "the journal's last batches are not replayed"
        case .tokensNotReplayed: "one batch in eight is replayed without its tokens"
        case .deadlineRestarted: "a restart begins every deadline anew"
        case .epochReused: "the last attempts in the journal are not replayed"
        case .promisedWithoutJournal: "jobs are accepted while the disk refuses batches"
        case .releasedWithoutJournal: "the tokens of a turn are released although the disk refused it"
        case .turnDropped: "a turn that the disk refused is dropped"
        case .endAfterFailedRead: "an end is told although the tokens before it could not be read"
        case .tokensTrusted: "tokens that died with the coordinator count as released after its restart"
        case .tornTailTaken: "what there is of a torn batch is replayed"
        case .numbersReused: "the numbers of streams that died with the coordinator are given again"
        case .unknownUnanswered: "nobody is told that a job is unknown"
        case .endedNotRecalled: "jobs that have left the memory are not looked for in the journal"
        case .recalledAnother: "a key finds another job in the journal"
        case .forgottenEarly: "the journal forgets what ended at once"
        case .retryReseeded: "a retry gets another seed"
        case .effectsUnordered: "a turn's effects are sent in the order of a set"
        }
    }

    /// The checkers that are expected to notice it, any of them first.
    public var catchers: [String] {
        switch self {
        case .staleRowsTaken, .staleEndsTaken: [FencingChecker.name]
        case .acceptedBeforeCommit, .releasedBeforeCommit, .assignedBeforeCommit, .acknowledgedBeforeCommit,
            .leaseNotJournaled, .endNotJournaled:
            [DurabilityChecker.name]
        case .tokensNotJournaled: [DurabilityChecker.name, UsageChecker.name, ContentChecker.name]
        case .resumedOneLate, .resumedOneEarly, .tokensSentTwice, .tokenSkipped, .lastTokensCut: [GapChecker.name]
        case .creditForgotten, .siblingsForgotten: [ProgressChecker.name]
        case .creditInvented, .windowIgnored: [CreditChecker.name]
        case .textShifted, .historyCut: [ContentChecker.name]
        case .endForgotten, .timeIgnored: [ProgressChecker.name, LimitChecker.name]
        case .endSentTwice: [SilenceChecker.name]
        case .endBeforeTokens, .effectsUnordered: [GapChecker.name, SilenceChecker.name, ContentChecker.name]
        case .endJournaledTwice, .endUnlikeJournal: [EndChecker.name]
        case .cancelIgnored: [DurabilityChecker.name]
        case .revocationIgnored: [SlotChecker.name]
        case .limitRaised, .siblingSeedShared: [LimitChecker.name]
        case .lossForgiven: [AttemptChecker.name]
        case .refusalIgnored: [RefusalChecker.name]
        case .lagNotExcused: [OwnLagChecker.name]
        case .wallClock: [ClockChecker.name]
        case .seedChanged, .keyForgotten: [IdempotenceChecker.name]
        case .usageDoubled: [UsageChecker.name]
        case .continuityEmbellished: [ContinuityChecker.name]
        case .shareEvaded: [FairnessChecker.name]
        case .tailTruncated, .tokensNotReplayed, .deadlineRestarted: [ReplayChecker.name]
        case .promisedWithoutJournal, .releasedWithoutJournal: [OutageChecker.name]
        case .turnDropped: [UsageChecker.name, DurabilityChecker.name, AttemptChecker.name, ProgressChecker.name]
        case .endAfterFailedRead: [GapChecker.name]
        case .tokensTrusted: [UsageChecker.name, DurabilityChecker.name, ContentChecker.name, ReplayChecker.name]
        case .tornTailTaken: [UsageChecker.name, DurabilityChecker.name, ReplayChecker.name]
        case .numbersReused: [NumberChecker.name]
        case .unknownUnanswered: [ProgressChecker.name]
        case .endedNotRecalled, .forgottenEarly: [RetentionChecker.name]
        case .recalledAnother: [IdempotenceChecker.name]
        case .retryReseeded: [RetryChecker.name]
        case .epochReused: [ReplayChecker.name, AttemptChecker.name]
        }
    }
}
