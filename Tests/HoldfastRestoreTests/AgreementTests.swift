import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What `verify --data` calls sound, a restore restores, and what it does not, no restore brings back whole; and
/// `rescue.py` says the same.
@Suite struct AgreementTests {
  @Test(arguments: RandomRepository.Fault.allCases)
  func verifyAndRestoreSayTheSame(fault: RandomRepository.Fault) throws {
    let seed = UInt64.random(in: 0 ... .max)
    let place: Comment = "seed \(seed), \(fault)"
    let repository = try RandomRepository(seed: seed, fault: fault)
    let report = try repository.made.shop.verify()
    let isSound = report.exitStatus == .done
    #expect(isSound == (fault == .none), "\(place): \(report.snapshots.flatMap(\.findings).map(\.message))")
    #expect(restoresAll(repository.made, report) == isSound, place)
    let copy = TemporaryDirectory()
    for (key, bytes) in repository.made.store.contents {
      let path = copy.appending("repository/" + key)
      Self.makeDirectories(path.parent ?? .root)
      TestFiles.write(bytes, to: path)
    }
    let rescue = try RescueScript.run([copy.appending("repository").text, "verify"])
    #expect((rescue.status == 0) == isSound, "\(place): \(rescue.output)")
  }

  private static func makeDirectories(_ path: Path) {
    if let parent = path.parent, !TestFiles.exists(parent) { makeDirectories(parent) }
    if !TestFiles.exists(path) { TestFiles.makeDirectory(path) }
  }

  /// Whether every snapshot comes back.
  private func restoresAll(_ made: HandmadeRepository, _ report: Verify.Report) -> Bool {
    guard report.unreadable.isEmpty else { return false }
    return report.snapshots.allSatisfy { result in
      let target = TemporaryDirectory()
      var options = Restore.Options(target: target.appending("restored"))
      options.setsOwner = Tool.isRoot
      let restore = Restore(
        repository: made.shop.repository, snapshot: result.snapshot, options: options, progress: QuietProgress())
      return (try? restore.run()) != nil
    }
  }

  /// Zeros are in a page whatever its length: they may be inherited where the file has grown or shrunk.
  @Test func zerosAreInheritedWhateverTheirLength() throws {
    let made = try HandmadeRepository()
    let zeros = PageExtent(first: 0, count: 2, location: nil, digests: [])
    try made.add([HandmadeRepository.root, HandmadeRepository.file("file", size: 4196, extents: [zeros])])
    var grown = HandmadeRepository.file("file", size: 8192, extents: [zeros], inherits: true)
    grown.extents = []
    try made.add([grown], parent: made.shop.snapshot(), state: [HandmadeRepository.root, grown])
    #expect(try made.shop.verify().exitStatus == .done)
    try made.shop.restore(to: "restored")
    #expect(TestFiles.read(made.shop.directory.appending("restored/file")) == [UInt8](repeating: 0, count: 8192))
  }

  @Test func whatIsWrongIsSaid() throws {
    func finding(_ fault: RandomRepository.Fault) throws -> String {
      let repository = try RandomRepository(seed: 5, fault: fault)
      let report = try repository.made.shop.verify()
      let message = report.snapshots.flatMap(\.findings).first?.message ?? report.unreadable.first?.message ?? ""
      return message.replacing(/[0-9a-f]{32}/, with: "ID").replacing(/\b[0-9a-f]{8}\b/, with: "ID")
    }
    let body = "sources/source/0000000003/body-ID is damaged: "
    let manifest = "sources/source/0000000003/manifest.json is damaged: "
    #expect(
      try finding(.shortPageInherited) == "sources/source/0000000002/body-ID is damaged: "
        + "page 1 of a file is inherited, and was not there in this length")
    #expect(try finding(.vanishedPageInherited) == body + "page 1 of a file is in no snapshot of the chain")
    #expect(try finding(.storedZeros) == body + "a page of y is stored, and has the digest of a page of zeros")
    #expect(try finding(.unreadableWithSize) == body + "a file that could not be read has a size")
    #expect(try finding(.attributesOutOfOrder) == body + "its extended attributes are not sound")
    #expect(try finding(.archiveTwice) == manifest + "archive ID is in its chain under two numbers")
    #expect(
      try finding(.differentialOnIncremental) == manifest + "it is a differential, and builds on what is no full")
    #expect(
      try finding(.reservedName)
        == "it has an entry .holdfast-restore, and a restore needs this name for itself: only parts of it come back, with --path"
    )
  }
}
