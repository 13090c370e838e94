internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one snapshot: what it builds on, what it stored, what it holds.", discussion: ExitStatusTable.text)

  @Argument(help: "latest, an ID, or the beginning of one.", completion: Candidates.snapshots)
  var snapshot = "latest"

  @Flag(help: "List everything the snapshot holds.")
  var files = false

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let host = Environment.makeHost()
    let repository = try place.open(
      host, credentials: identity.credentials(host, asks: true), of: source.name, olderCopy: copy.olderCopy)
    let chosen = try SnapshotSelector(snapshot, source: source.name).choose(in: repository) {
      Console.error("holdfast: WARNING: \($0.message)")
    }
    let noted = try repository.notes(of: chosen.sourceName).notes[chosen]
    if output.json {
      let snapshot = SnapshotJSON(chosen.envelope, noted)
      // Followed by its files, it is the first line of a stream of lines.
      if files { try Console.jsonLine(snapshot) } else { try Console.json(snapshot) }
    } else {
      let path = try repository.sourcePath(of: chosen)
      summary(chosen, noted, chain: try repository.chain(to: chosen), path: path).forEach(Console.output)
    }
    guard files else { return }
    try repository.forEachEntry(of: chosen) { entry in
      if output.json { try Console.jsonLine(EntryJSON(entry)) } else { Console.output(EntryLine.text(entry)) }
    }
  }

  private func summary(_ snapshot: Snapshot, _ noted: SourceNotes.Note, chain: Chain, path: String?) -> [String] {
    let envelope = snapshot.envelope
    var table = Table()
    table.add(["snapshot", envelope.snapshot.description])
    table.add(["source", "\(envelope.source.name)  (\(path ?? "sealed"))"])
    table.add(["kind", "\(envelope.kind.rawValue), number \(envelope.sequence)"])
    table.add(["taken", TimeText.local(envelope.started)])
    if let merged = envelope.merged {
      let time = TimeText.parse(merged.time).map { ", " + TimeText.local($0) } ?? ""
      table.add(["merged", "from \(merged.snapshot.short), number \(merged.sequence)\(time)"])
    }
    table.add(["parent", envelope.parent.map { "\($0.snapshot.short), number \($0.sequence)" } ?? "none"])
    table.add(["chain", chain.snapshots.map(\.id.short).joined(separator: " → ")])
    table.add([
      "stands for",
      "\(Amount.bytes(envelope.state.bytes)) in \(Amount.count(envelope.state.files, "file")), \(Amount.count(envelope.state.entries, "entry", "entries"))",
    ])
    table.add([
      "stored",
      "\(Amount.bytes(envelope.storedBytes)) in \(Amount.count(UInt64(envelope.archives.count), "archive")) and a manifest",
    ])
    table.add([
      "changes",
      "\(envelope.changes.added) added, \(envelope.changes.changed) changed, \(envelope.changes.removed) removed",
    ])
    table.add([
      "consistency",
      envelope.consistency
        + (envelope.incomplete > 0 ? ", \(Amount.count(envelope.incomplete, "path")) incomplete" : ""),
    ])
    if let postgres = envelope.postgres {
      table.add([
        "PostgreSQL \(postgres.version)",
        "system \(postgres.system), timeline \(postgres.timeline), WAL from \(postgres.start) to \(postgres.stop)",
      ])
    }
    table.add(["state root", envelope.state.root.description])
    table.add(["written by", Path(envelope.program).description])
    for anomaly in envelope.comparison?.anomalies ?? [] {
      table.add([noted.accepted == nil ? "ANOMALY" : "accepted", anomaly.description])
    }
    if !noted.tags.isEmpty { table.add(["tagged", noted.tags.map(\.text).joined(separator: ", ")]) }
    if let pin = noted.pinned { table.add(["kept", RetentionReason.pinned(pin.reason).description]) }
    if noted.removed != nil { table.add(["removed", "call it back with `holdfast undelete \(snapshot.id.short)`"]) }
    return table.lines
  }
}

/// An entry as `ls -l` would show it.
enum EntryLine {
  static func text(_ entry: Entry) -> String {
    let size = entry.file.map { String($0.size) } ?? "-"
    let owner = "\(entry.attributes.userID):\(entry.attributes.groupID)"
    var line =
      "\(type(entry.content))\(permissions(entry.attributes.mode))  \(padded(owner, 11))  \(leftPadded(size, 13))  "
    line += "\(TimeText.local(entry.attributes.modified))  \(entry.path)"
    switch entry.content {
    case .symbolicLink(let target): line += " -> \(Path(bytes: target))"
    case .hardLink(let file): line += " link to \(file)"
    case .file(let file) where file.consistency == .badPages:
      line += "  (\(file.consistency.name): \(file.badPages.map(String.init).joined(separator: ", ")))"
    case .file(let file) where file.consistency != .stable: line += "  (\(file.consistency.name))"
    default: break
    }
    return line
  }

  static func type(_ content: Content) -> String {
    switch content {
    case .directory: "d"
    case .file, .hardLink: "-"
    case .symbolicLink: "l"
    case .fifo: "p"
    case .characterDevice: "c"
    case .blockDevice: "b"
    }
  }

  private static func permissions(_ mode: UInt32) -> String {
    var text = ""
    for (shift, special, mark) in [(6, UInt32(0o4000), "s"), (3, 0o2000, "s"), (0, 0o1000, "t")] {
      let bits = mode >> UInt32(shift)
      text += bits & 4 != 0 ? "r" : "-"
      text += bits & 2 != 0 ? "w" : "-"
      let isExecutable = bits & 1 != 0
      text += mode & special != 0 ? (isExecutable ? mark : mark.uppercased()) : (isExecutable ? "x" : "-")
    }
    return text
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func leftPadded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

struct EntryJSON: Encodable {
  let path: String
  let type: String
  let mode: UInt32
  let userID: UInt32
  let groupID: UInt32
  let modified: String
  let size: UInt64?
  let consistency: String?
  /// Of a file of class bad-pages.
  let badPages: [UInt64]?
  let target: String?
  let digest: String?

  init(_ entry: Entry) {
    path = entry.path.description
    type =
      switch entry.content {
      case .directory: "directory"
      case .file: "file"
      case .symbolicLink: "symbolicLink"
      case .hardLink: "hardLink"
      case .fifo: "fifo"
      case .characterDevice: "characterDevice"
      case .blockDevice: "blockDevice"
      }
    mode = entry.attributes.mode
    userID = entry.attributes.userID
    groupID = entry.attributes.groupID
    modified = TimeText.utc(entry.attributes.modified)
    size = entry.file?.size
    consistency = entry.file?.consistency.name
    badPages = entry.file.flatMap { $0.badPages.isEmpty ? nil : $0.badPages }
    digest = entry.file?.digest.description
    target =
      switch entry.content {
      case .symbolicLink(let target): Path(bytes: target).description
      case .hardLink(let file): file.description
      default: nil
      }
  }
}
