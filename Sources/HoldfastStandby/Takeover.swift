package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastOperations
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The directory of a standby in the hands of a failover. As long as this object lives, no standby works there.
package final class Takeover {
  /// The newest snapshot that may be followed, and what would be lost with it.
  package struct Outlook: Sendable {
    package let newest: Snapshot
    /// The copy that is this snapshot already; `nil` if none is.
    package let copy: CopyName?
    /// Snapshots of the source that are newer and cannot be followed: not whole, damaged, or not accepted.
    package let passedOver: [Snapshot]
    package let concerns: [StandbyConcern]
    /// The damage that may hide a newer snapshot, or something about one.
    package let damage: [DamageError]
  }

  /// The source; its stored name is known once a repository is looked at.
  private var source: SourceName
  private let context: RepositoryContext
  private let place: StandbyPlace
  private let directory: StandbyDirectory?
  private let progress: any ProgressObserver

  /// - Parameters:
  ///   - isDryRun: true to look only; then the directory need not exist, and is not locked.
  /// - Throws: with exit status 11 while a standby works in the directory.
  package init(
    _ source: SourceName, at context: RepositoryContext, in directory: Path, isDryRun: Bool,
    progress: any ProgressObserver
  ) throws {
    (self.source, self.context, self.progress) = (source, context, progress)
    let files = context.machine.host.files
    place = try StandbyPlace(resolving: directory, files: files)
    self.directory =
      isDryRun
      ? try StandbyDirectory(lookingAt: place.path, files: files)
      : try StandbyDirectory(working: place.path, files: files)
  }

  /// The directory of the standby, without symbolic links.
  package var path: Path { place.path }

  /// Refuses a directory that lies in a source, in a repository, or in the data of a server. Once this host was
  /// promoted, its source lies in the directory.
  package func checkPlace() throws {
    if try promotion == nil { try place.check(context) }
  }

  /// The promotion of this host that an earlier failover has noted; `nil` if it stands by.
  package var promotion: Promotion? { get throws { try directory?.promotion() } }

  /// Stores the promotion, durably; `nil`: this host stands by again.
  package func note(_ promotion: Promotion?) throws { try directory?.note(promotion) }

  /// The path of the copy of a promotion.
  package func data(of promotion: Promotion) -> Path { path.appending(Path(promotion.copy).bytes) }

  private var missing: EngineError {
    EngineError(.machine, "there is no copy of \(source) in \(path)", hint: "Find out who has removed it.")
  }

  private func pass(_ repository: Repository) -> StandbyPass {
    var pass = StandbyPass(
      repository: repository, source: source, directory: directory, directoryPath: place.path,
      isRoot: context.machine.environment.isRoot, discardsChanges: false, progress: progress)
    pass.isPromoting = true
    return pass
  }

  /// Looks up the newest snapshot, and writes nothing.
  package func look(_ repository: Repository) throws -> Outlook {
    source = try repository.names.source(source)
    if let promotion = try promotion, promotion.stage != .announcing {
      // The shop may be at work in the copy, and newer snapshots may be its own.
      let choice = try StandbyChoice(of: source, in: repository, after: nil, progress)
      let served = choice.complete.first { $0.id == promotion.snapshot }
      return Outlook(
        newest: try served ?? choice.newest(), copy: CopyName(rawValue: promotion.copy), passedOver: [], concerns: [],
        damage: [])
    }
    let plan = try pass(repository).plan()
    let copies = try CopyName.allCases.filter { try directory?.record(of: $0)?.snapshot == plan.newest.id }
    return Outlook(
      newest: plan.newest, copy: copies.first, passedOver: try passedOver(plan.newest, repository),
      concerns: plan.concerns, damage: damage(in: plan))
  }

  /// Returns the damage that may hide something newer than the newest snapshot of a plan. A manifest with a lower
  /// number hides nothing.
  private func damage(in plan: StandbyPass.Plan) -> [DamageError] {
    plan.damage.filter { damage in
      let folder = Keys.source(source)
      guard damage.object.hasPrefix(folder) else { return true }
      let name = damage.object.dropFirst(folder.count).prefix { $0 != "/" }
      return Keys.sequence(name).map { $0 > plan.newest.sequence } ?? true
    }
  }

  private func passedOver(_ newest: Snapshot, _ repository: Repository) throws -> [Snapshot] {
    let notes = try repository.notes.read(source).notes
    return try repository.catalog.allSnapshots(of: source, includingRemoved: true) { self.progress.warn($0.message) }
      .filter { notes[$0].removed == nil && $0.standsFor > newest.standsFor && $0.id != newest.id }
  }

  /// Makes a copy the newest snapshot, proves it, and lets `current` lead to it.
  /// - Parameters:
  ///   - start: the snapshot with which this host was announced; `nil` if it was not: then the newest one is taken.
  ///   - check: asks the copy, by its path. It may change it as the programs of its databases would.
  /// - Returns: the promotion that is to be announced.
  /// - Throws: when somebody has changed a copy; when the newest snapshot is not `start`, or damage may hide a newer
  ///   one; the error of `check`.
  package func bring(
    _ repository: Repository, from start: ServingRole.Start?, check: (Path, Snapshot) throws -> Void
  ) throws -> Promotion.Draft {
    guard let directory else { throw missing }
    // Before the choice: what arrives after this, and is not chosen, has come too late.
    let highest = try repository.catalog.highestPresent(of: source)
    let pass = pass(repository)
    var plan = try pass.plan()
    var written: UInt64 = 0
    // A copy that was whole gets the link first, and then the other one becomes the newest snapshot.
    while plan.step != .nothing {
      written += try pass.perform(plan)
      plan = try pass.plan()
    }
    guard let (copy, record) = plan.serving, plan.concerns.isEmpty, record.snapshot == plan.newest.id else {
      throw EngineError(
        .usage, plan.concerns.first?.text ?? "\(path) is not the newest snapshot of \(source)",
        hint: "Run `holdfast standby \(source) --in \(path) --dry-run` to see how it stands.")
    }
    if let start, record.snapshot != start.snapshot { throw otherStart(start, plan.newest) }
    if start == nil, let damage = damage(in: plan).first { throw damage }
    let data = directory.path(of: copy)
    try directory.unmark(copy)
    try check(data, plan.newest)
    guard let open = try directory.open(copy) else { throw missing }
    let checked = CopyRecord(plan.newest, tree: try CopyTree(repository.host).digest(of: open))
    try directory.mark(copy, checked)
    return Promotion.Draft(
      data: data, snapshot: plan.newest, highest: highest, writtenBytes: written,
      promotion: Promotion(of: checked, in: copy))
  }

  private func otherStart(_ start: ServingRole.Start, _ newest: Snapshot) -> EngineError {
    EngineError(
      .usage,
      "this host is announced to serve from snapshot \(start.snapshot.short), number \(start.sequence), and the newest one that may be followed is \(newest.id.short), number \(newest.sequence)",
      hint: "Run `holdfast show \(start.snapshot.short)` to see what is wrong with it.", exitStatus: .incomplete)
  }

  /// Makes a directory elsewhere on the same file system the next copy to be made, if there is none of that name yet.
  /// - Returns: false if that cannot be.
  package func adopt(_ data: Path) throws -> Bool {
    guard let directory, try directory.serving() == nil else { return false }
    // The pass makes the copy that is not served, and without a link that is the first one.
    return try directory.adopt(data, as: .a)
  }

  /// Stands by again: forgets the promotion.
  /// - Parameter kept: a directory that was kept; if it is a copy, it may be written over. `nil` if there is none.
  package func standBy(over kept: Path?, _ repository: Repository) throws {
    guard let directory else { return }
    try directory.claim(StandbyIdentity(repository: repository.id, source: repository.names.source(source)))
    for copy in CopyName.allCases where directory.path(of: copy) == kept { try directory.unmark(copy) }
    try directory.note(nil)
  }
}

extension Promotion {
  /// A copy that is ready, before its number is known.
  package struct Draft {
    /// The path of the copy.
    package let data: Path
    package let snapshot: Snapshot
    /// The highest number of a snapshot that was there before this one was chosen.
    package let highest: UInt64
    package let writtenBytes: UInt64
    /// The promotion that is to be announced.
    package let promotion: Promotion
  }
}
