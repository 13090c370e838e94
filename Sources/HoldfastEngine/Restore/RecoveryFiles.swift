internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The files that make a server recover when it starts on a restored cluster: `recovery.signal` and settings. They are
/// made in the staging directory, so that the cluster never appears without them.
struct RecoveryFiles {
  private static let label = "backup_label"
  private static let version = "PG_VERSION"
  private static let signal = "recovery.signal"
  private static let standbySignal = "standby.signal"
  private static let settingsName = "postgresql.auto.conf"
  private static let settingsBytesMax = 1 << 20
  private let settings: RecoverySettings
  /// The directory of the cluster in the snapshot.
  let directory: Path
  /// The entry whose owner and mode the new files get.
  private let model: Entry
  /// The settings file of the snapshot.
  private let known: Entry?
  private let isStandby: Bool

  /// - Throws: `EngineError` when the snapshot contains no cluster that can recover, or several.
  init(_ settings: RecoverySettings, in state: StateFile) throws {
    self.settings = settings
    var labels: [Path] = []
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if entry.path.lastComponent.elementsEqual(Self.label.utf8), entry.file != nil { labels.append(entry.path) }
    }
    guard labels.count == 1, let directory = labels[0].parent else {
      throw EngineError(
        .usage, "the snapshot holds \(labels.isEmpty ? "no cluster" : "\(labels.count) clusters") with a backup_label",
        hint: "Restore it without --to-…, and set up the recovery by hand.")
    }
    self.directory = directory
    var found: [String: Entry] = [:]
    let second = state.makeReader()
    while let entry = try second.nextEntry() {
      guard entry.path.parent == directory, entry.file != nil else { continue }
      found[String(decoding: entry.path.lastComponent, as: UTF8.self)] = entry
    }
    guard let model = found[Self.version] else {
      throw EngineError(
        .usage, "there is no PG_VERSION beside \(labels[0]) in the snapshot",
        hint: "It is no cluster: restore without --to-….")
    }
    self.model = model
    known = found[Self.settingsName]
    isStandby = found[Self.standbySignal] != nil
  }

  /// Refuses a restore over existing content if the snapshot is of a standby.
  func check(isDelta: Bool) throws {
    guard isDelta, isStandby else { return }
    throw EngineError(
      .usage, "the snapshot is of a standby, and its standby.signal cannot be left out of a restore with --delta",
      hint: "Name an empty --target.")
  }

  /// Makes the files in the staging directory, after everything else is there.
  /// - Parameter target: the existing target; `nil` for an empty one.
  func stage(in staging: StagingArea, over target: OpenFile?, files: FileSystem) throws {
    let path = directory.appending(Self.settingsName)
    var present: [UInt8] = []
    let file: OpenFile
    if try staging.status(of: path) != nil {
      file = try staging.reopen(path)
      present = try file.contents(max: Self.settingsBytesMax)
    } else {
      // The target's file is the same as in the snapshot, but another process may have it open.
      if let target, known != nil, try files.statusIfPresent(of: path, beneath: target) != nil {
        present = try files.openBeneath(path, in: target, .read).contents(max: Self.settingsBytesMax)
      }
      file = try staging.create(path)
    }
    let raised = settings.plan.raised(over: try control(in: staging, over: target, files))
    let bytes = settings.appended(to: present, raising: raised)
    try file.truncate(to: UInt64(bytes.count))
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    staging.attributes.apply(made(path), to: file)
    let signal = directory.appending(Self.signal)
    staging.attributes.apply(made(signal), to: try staging.create(signal))
    if target == nil {
      try staging.discard(directory.appending(Self.standbySignal))
    }
  }

  /// Returns the beginning of the restored control file; empty if there is none.
  private func control(in staging: StagingArea, over target: OpenFile?, _ files: FileSystem) throws -> [UInt8] {
    let path = directory.appending(ControlFile.path.bytes)
    if try staging.status(of: path)?.kind == .file {
      return try staging.reopen(path).contents(max: ControlFile.byteCount)
    }
    guard let target, try files.statusIfPresent(of: path, beneath: target)?.kind == .file else { return [] }
    return try files.openBeneath(path, in: target, .read).contents(max: ControlFile.byteCount)
  }

  /// Gives the files their names in an existing target, before the startup file appears.
  func publish(_ staging: StagingArea) throws {
    for name in [Self.settingsName, Self.signal] { try staging.publish(directory.appending(name)) }
  }

  private func made(_ path: Path) -> Entry {
    var entry = known?.path == path ? known ?? model : model
    entry.path = path
    entry.attributes.mode = 0o600
    return entry
  }
}
