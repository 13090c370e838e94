internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel

/// The result of a verify, as `--json` shows it.
package struct VerifyJSON: Encodable {
  struct Log: Encodable {
    let source: String
    let system: String
    let fileCount: UInt64
    let soundFiles: UInt64
    let closed: Bool
    let findings: [String]
    let provedBytes: UInt64
    let seconds: TimeSpan
  }

  struct Result: Encodable {
    let id: String
    let sequence: UInt64
    let source: String
    let sound: Bool
    /// True if its plain bytes could not be read: it is sealed, and no identity opens it.
    let closed: Bool
    let findings: [String]
    let damagedFiles: [String]
    let seconds: TimeSpan
  }

  /// A finding about something other than snapshots and WAL.
  struct Other: Encodable {
    let object: String
    let damaged: Bool
    let costsData: Bool
    let text: String
  }

  let sound: Bool
  /// True if no plain bytes could be read: the repository is sealed, and no identity was given.
  let closed: Bool
  let snapshots: [Result]
  let logs: [Log]
  let unreadable: [String]
  let others: [Other]
  let provedBytes: UInt64
  let provedFrames: UInt64
  let seconds: TimeSpan

  package init(_ report: Verify.Report) {
    sound = report.exitStatus == .done
    closed = report.isClosed
    snapshots = report.snapshots.map {
      Result(
        id: $0.snapshot.id.description, sequence: $0.snapshot.sequence, source: $0.snapshot.sourceName.text,
        sound: $0.isSound, closed: $0.isClosed, findings: $0.findings.map(\.message),
        damagedFiles: $0.damagedFiles.map(\.description),
        seconds: $0.duration)
    }
    logs = report.logs.map {
      Log(
        source: $0.source.text, system: $0.system.description, fileCount: $0.files, soundFiles: $0.soundFiles,
        closed: $0.isClosed, findings: $0.findings.map(\.message), provedBytes: $0.provenBytes, seconds: $0.duration)
    }
    unreadable = report.unreadable.map(\.message)
    others = report.others.map {
      Other(object: $0.object, damaged: $0.level != .note, costsData: $0.level == .dataLoss, text: $0.message)
    }
    provedBytes = report.provenBytes
    provedFrames = report.provenFrames
    seconds = report.duration
  }
}
