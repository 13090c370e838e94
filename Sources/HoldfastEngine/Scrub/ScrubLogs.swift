internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Compares the archived log of one source at the targets.
struct ScrubLogs: Sendable {
  /// The manifests of the archived log at one target.
  struct Survey: Sendable {
    /// The sound manifests, by key.
    var sound: [String: ArchivedWAL] = [:]
    var damaged: [String: DamageError] = [:]
    /// The names of all files, by cluster.
    var files: [SystemIdentifier: Set<WALFileName>] = [:]
  }

  private let source: SourceName
  private let targets: [ScrubTarget]
  private let surveys: [Survey]

  /// - Parameter surveys: one for each target.
  init(of source: SourceName, _ targets: [ScrubTarget], _ surveys: [Survey]) {
    (self.source, self.targets, self.surveys) = (source, targets, surveys)
  }

  static func survey(_ source: SourceName, _ target: ScrubTarget) throws -> Survey {
    let archive = WALArchive(target.repository, of: source)
    var survey = Survey()
    for system in try archive.systems() {
      for (file, copy) in try archive.allCopies(of: system) {
        try target.repository.host.cancellation.check()
        let key = Keys.walManifest(source, system, file, copy: copy)
        survey.files[system, default: []].insert(file)
        do {
          survey.sound[key] = try archive.find(file, of: system, copy: copy)
        } catch let damage as DamageError {
          survey.damaged[key] = DamageError(key, damage.finding)
        }
      }
    }
    return survey
  }

  /// Adds the archived log of a target to its demands, which have its snapshots.
  /// - Parameter isApart: true if the target has a retention of its own.
  func add(to demands: inout ScrubDemands, at index: Int, isApart: Bool) throws {
    if let home = targets.firstIndex(where: \.isHome), index != home {
      let sound = surveys[home].sound.filter { !isApart || $0.value.isNeeded(by: demands.snapshots) }
      let wanted = Set(sound.keys).union(surveys[home].damaged.keys)
      let there = Set(surveys[index].sound.keys).union(surveys[index].damaged.keys)
      demands.behind.logs = wanted.subtracting(there).count
    } else if targets[index].isHome {
      try addLost(to: &demands, at: index)
    }
    for (key, damage) in surveys[index].damaged.sorted(by: { $0.key < $1.key }) {
      let demand = ScrubFault.Demand.small(try bytes(key, notAt: index)) {
        (try? ArchivedWAL(parsing: $0, name: key)) != nil
      }
      demands.faults.append(ScrubFault(damage: damage, demand: demand))
    }
    var known = surveys[index].sound
    for key in surveys[index].damaged.keys { known[key] = surveys.lazy.compactMap { $0.sound[key] }.first }
    for (key, archived) in known.sorted(by: { $0.key < $1.key }) {
      let item = ContainerCopy.Item(
        kind: .wal, key: archived.manifest.objectKey, reference: archived.manifest.object)
      demands.demanders[item.key] = key
      switch try targets[index].isSpare ? nil : targets[index].presence(of: item) {
      case nil: break
      case .asRecorded?: demands.items.append(item)
      case .missing?: demands.faults.append(.missing(item, for: key))
      case .damaged(let damage)?: demands.faults.append(.damaged(damage, item, for: key))
      }
      if let first = surveys.firstIndex(where: { $0.sound[key] != nil }), surveys[first].sound[key] != archived {
        demands.fork =
          demands.fork
          ?? .forked(key: key, target: targets[index].location, home: targets[first].location)
      }
    }
  }

  /// Adds the files that home has lost with their manifests: another target has them, and a recovery from a snapshot at
  /// home may need them. Files that no recovery needs were removed by a prune.
  private func addLost(to demands: inout ScrubDemands, at home: Int) throws {
    for survey in surveys {
      for (key, archived) in survey.sound.sorted(by: { $0.key < $1.key }) {
        let system = archived.manifest.system
        let isThere = surveys[home].files[system]?.contains(archived.file) == true
        let isAdded = demands.faults.contains { $0.key == key }
        // A push may have written it since home was listed.
        guard !isThere, !isAdded, archived.isNeeded(by: demands.snapshots), try targets[home].bytes(key) == nil else {
          continue
        }
        let item = ContainerCopy.Item(
          kind: .wal, key: archived.manifest.objectKey, reference: archived.manifest.object)
        switch try targets[home].presence(of: item) {
        case .asRecorded: demands.items.append(item)
        case .missing: demands.faults.append(.missing(item))
        case .damaged(let damage): demands.faults.append(.damaged(damage, item))
        }
        let demand = ScrubFault.Demand.small(try bytes(key, notAt: home)) {
          (try? ArchivedWAL(parsing: $0, name: key)) != nil
        }
        let damage = DamageError(key, "it is missing, and a recovery may need it")
        demands.faults.append(ScrubFault(damage: damage, demand: demand, isMissing: true, needs: [item.key]))
      }
    }
  }

  /// Returns the bytes of a manifest from another target that has it sound; `nil` when none has.
  private func bytes(_ key: String, notAt index: Int) throws -> [UInt8]? {
    for (other, survey) in surveys.enumerated() where other != index {
      guard let archived = survey.sound[key], let bytes = try targets[other].soundBytes(key),
        try ArchivedWAL(parsing: bytes, name: key) == archived
      else { continue }
      return bytes
    }
    return nil
  }
}

extension ArchivedWAL {
  /// True if a recovery from one of the snapshots may need the file, by the rule of `WALRetention`.
  fileprivate func isNeeded(by snapshots: [Snapshot]) -> Bool {
    let system = manifest.system
    guard snapshots.contains(where: { $0.envelope.postgres?.system == system.description }) else { return false }
    guard file.kind != .timelineHistory, let floor = WALRetention(snapshots, of: system).floor(of: file.timeline),
      let size = manifest.segment, let number = file.number(size)
    else { return true }
    return size.start(of: number + 1) > floor
  }
}
