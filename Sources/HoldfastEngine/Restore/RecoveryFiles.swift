internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The files that tell a server what to do when it starts on a restored cluster: settings, and `recovery.signal` or
/// `standby.signal`. They are made in the staging directory, so that the cluster never appears without them.
struct RecoveryFiles {
  private static let label = "backup_label"
  private static let version = "PG_VERSION"
  private static let recoverySignal = "recovery.signal"
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
  private let isOfStandby: Bool
  /// The signal that is made; `nil` for none, or if the snapshot has it.
  private let signal: String?

  /// - Throws: `EngineError` when the snapshot contains no cluster that can recover, or several.
  init(_ settings: RecoverySettings, in state: StateFile) throws {
    self.settings = settings
    let directory = try Self.directory(for: settings.purpose, in: state)
    self.directory = directory
    var found: [String: Entry] = [:]
    let second = state.makeReader()
    while let entry = try second.nextEntry() {
      guard entry.path.parent == directory, entry.file != nil else { continue }
      found[String(decoding: entry.path.lastComponent, as: UTF8.self)] = entry
    }
    guard let model = found[Self.version] else {
      throw EngineError(
        .usage, "there is no PG_VERSION in \(directory.isEmpty ? "the top" : "\(directory)") of the snapshot",
        hint: "It is no cluster: restore without --to-….")
    }
    self.model = model
    known = found[Self.settingsName]
    isOfStandby = found[Self.standbySignal] != nil
    let wanted =
      switch settings.purpose {
      case .recovery: Self.recoverySignal
      // If the snapshot has recovery.signal as well, this one counts.
      case .standby: Self.standbySignal
      case .unchanged: String?.none
      }
    signal = wanted.flatMap { found[$0] == nil ? $0 : nil }
  }

  /// Returns the directory of the only cluster of a snapshot that can serve a purpose.
  private static func directory(for purpose: RecoverySettings.Purpose, in state: StateFile) throws -> Path {
    var labels: [Path] = []
    var clusters: [Path] = []
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard entry.file != nil else { continue }
      if entry.path.lastComponent.elementsEqual(label.utf8) { labels.append(entry.path) }
      if let cluster = ClusterControl.cluster(of: entry.path) { clusters.append(cluster) }
    }
    if case .unchanged = purpose {
      if clusters.count == 1 { return clusters[0] }
      throw EngineError(
        .usage, "the snapshot holds \(clusters.isEmpty ? "no cluster" : "\(clusters.count) clusters")",
        hint: "Restore it without --archive-mode, and change its postgresql.conf by hand.")
    }
    guard labels.count == 1, let directory = labels[0].parent else {
      throw EngineError(
        .usage, "the snapshot holds \(labels.isEmpty ? "no cluster" : "\(labels.count) clusters") with a backup_label",
        hint: "Restore it without --to-… and --standby, and set up the recovery by hand.")
    }
    return directory
  }

  /// Refuses a restore over existing content if a signal of the snapshot would stand in the way.
  func check(isDelta: Bool) throws {
    guard isDelta, isOfStandby, case .recovery = settings.purpose else { return }
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
    let raised = try settings.plan?.raised(over: control(in: staging, over: target, files)) ?? []
    let bytes = settings.appended(to: present, raising: raised)
    try file.truncate(to: UInt64(bytes.count))
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    staging.attributes.apply(made(path), to: file)
    if let signal {
      let path = directory.appending(signal)
      staging.attributes.apply(made(path), to: try staging.create(path))
    }
    if target == nil, case .recovery = settings.purpose {
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
    for name in [Self.settingsName] + (signal.map { [$0] } ?? []) { try staging.publish(directory.appending(name)) }
  }

  private func made(_ path: Path) -> Entry {
    var entry = known?.path == path ? known ?? model : model
    entry.path = path
    entry.attributes.mode = 0o600
    return entry
  }
}
