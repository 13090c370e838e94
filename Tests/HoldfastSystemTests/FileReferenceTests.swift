import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What is open as a place only gets its attributes whatever has its name by now.
@Suite struct FileReferenceTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()

  @Test func whatIsDoneToAReferenceReachesNothingElse() throws {
    let place = directory.appending("fifo")
    let victim = directory.appending("victim")
    TestFiles.makeFifo(place)
    TestFiles.write("a file", to: victim)
    TestFiles.setMode(victim, 0o600)
    let root = try files.open(directory.path, .directory)
    let fifo = try files.openReference(Path("fifo"), beneath: root)
    TestFiles.rename(place, to: directory.appending("away"))
    TestFiles.symbolicLink("victim", at: place)
    try fifo.setMode(0o642)
    try fifo.setModified(Timestamp(seconds: 1_600_000_000, nanoseconds: 7))
    let givesAway = try Requirement.root.allows("a change of the owner")
    if givesAway { try fifo.setOwner(userID: 1234, groupID: 1235) }
    let status = try fifo.status()
    #expect(status.kind == .fifo && status.mode == 0o642)
    #expect(status.modified == Timestamp(seconds: 1_600_000_000, nanoseconds: 7))
    if givesAway { #expect(status.userID == 1234 && status.groupID == 1235) }
    #expect(TestFiles.permissions(victim) == 0o600)
  }

  @Test func aReferenceToALinkIsTheLink() throws {
    TestFiles.symbolicLink("nowhere", at: directory.appending("link"))
    let root = try files.open(directory.path, .directory)
    let link = try files.openReference(Path("link"), beneath: root)
    #expect(try link.status().kind == .symbolicLink)
    #expect(try link.symbolicLinkTarget(files) == Array("nowhere".utf8))
    try link.setModified(Timestamp(seconds: 1_600_000_000, nanoseconds: 7))
    #expect(try files.status(of: Path("link"), in: root).modified.seconds == 1_600_000_000)
  }

  /// Also under a name that the table of mounts has to write in another way, and on the same device.
  @Test(.requires(.mounts)) func mountsAreFoundByTheirPlaces() throws {
    let place = directory.appending("a b\\c")
    let file = directory.appending("file")
    TestFiles.makeDirectory(directory.appending("sub"))
    TestFiles.write("x", to: directory.appending("other"))
    TestFiles.write("x", to: file)
    let disk = try SmallDisk(at: place, mebibytes: 1)
    let shown = try SmallDisk(showing: directory.appending("other"), at: file)
    #expect(try #require(files.mountPoints(below: directory.path)) == [place, file].sorted())
    #expect(files.mountPoints(below: place) == [])
    let root = try files.open(directory.path, .directory)
    for (name, isMounted) in [("a b\\c", true), ("file", true), ("sub", false), ("other", false)] {
      #expect(try files.isMountRoot(Path(name), in: root) == isMounted, "\(name)")
    }
    #expect(try files.open(place, .directory).isMountRoot())
    #expect(try !files.open(directory.appending("sub"), .directory).isMountRoot())
    withExtendedLifetime((disk, shown)) {}
  }
}
