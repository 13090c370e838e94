package import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The archived WAL of one cluster, as `wal status --json` shows it.
package struct LogJSON: Encodable {
  struct Gap: Encodable {
    let firstSegment: String
    let lastSegment: String
    let segmentCount: UInt64
  }

  struct Timeline: Encodable {
    let timeline: UInt32
    let firstSegment: String
    let lastSegment: String
    let segmentCount: UInt64
    let storedBytes: UInt64
    let gaps: [Gap]
    let lastTransaction: String?
  }

  struct Reach: Encodable {
    let snapshot: SnapshotReferenceJSON
    let timeline: UInt32?
    let end: LogSequenceNumber?
    let lastTransaction: String?
    /// The missing segment, when the WAL has a gap.
    let missing: String?
    /// The position at which a part of the WAL begins that no server replays.
    let minimalFrom: LogSequenceNumber?
    /// The position at which its records become invalid, although more is archived.
    let brokenAt: LogSequenceNumber?
  }

  let source: String
  let system: String
  /// True if it is sealed and no identity was given: then times and reach are not known.
  let closed: Bool
  let timelines: [Timeline]
  let otherFiles: UInt64
  let snapshots: [Reach]

  package init(_ log: WALStatus.Log) {
    source = log.source.text
    system = log.system.description
    closed = log.isClosed
    otherFiles = log.otherFiles
    timelines = log.timelines.map { timeline in
      Timeline(
        timeline: timeline.timeline, firstSegment: timeline.first.text, lastSegment: timeline.last.text,
        segmentCount: timeline.count,
        storedBytes: timeline.storedBytes,
        gaps: timeline.gaps.map { Gap(firstSegment: $0.first.text, lastSegment: $0.last.text, segmentCount: $0.count) },
        lastTransaction: timeline.lastTransaction.map { TimeText.exact($0) })
    }
    snapshots = log.snapshots.map { reach in
      Reach(
        snapshot: SnapshotReferenceJSON(reach.snapshot), timeline: reach.timeline,
        end: reach.end, lastTransaction: reach.lastTransaction.map { TimeText.exact($0) }, missing: reach.missing?.text,
        minimalFrom: reach.minimalFrom, brokenAt: reach.brokenAt)
    }
  }
}

/// The archived WAL of all clusters, as `wal status --json` shows it.
package struct LogsJSON: Encodable {
  let logs: [LogJSON]
  let damage: [String]

  package init(_ logs: [WALStatus.Log], damage: [DamageError]) {
    (self.logs, self.damage) = (logs.map { LogJSON($0) }, damage.map(\.message))
  }
}
