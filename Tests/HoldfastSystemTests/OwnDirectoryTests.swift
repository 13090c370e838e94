import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a run keeps on this machine is nobody else's to change: not by who may write in the directory, nor by a link.
@Suite struct OwnDirectoryTests {
  private let directory = TemporaryDirectory()
  private var path: Path { directory.appending("kept") }

  @Test func aDirectoryThatIsMadeIsPrivate() throws {
    #expect(try OwnDirectory(path, files: FileSystem()) == nil)
    let own = try OwnDirectory(making: path, files: FileSystem())
    #expect(TestFiles.permissions(path) == 0o700)
    #expect(try own.contents(of: "file", max: 10) == nil)
    try own.replace("file", by: [1, 2])
    try own.replace("file", by: [3])
    #expect(try own.contents(of: "file", max: 10) == [3])
    #expect(TestFiles.permissions(path.appending("file")) == 0o600)
    #expect(try own.remove("file"))
    #expect(try !own.remove("file"))
    #expect(TestFiles.names(in: path) == [])
  }

  @Test func aDirectoryInWhichOthersMayWriteIsRefused() {
    TestFiles.makeDirectory(path)
    TestFiles.setMode(path, 0o1777)
    let error = #expect(throws: OwnDirectoryError.self) { try OwnDirectory(path, files: FileSystem()) }
    #expect(
      error?.description == "others may write in \(path) (mode 01777)"
        + "\nHINT: Name a directory of your own, in which nobody else may write.")
  }

  @Test(.requires(.root)) func aDirectoryOfAnotherUserIsRefused() {
    TestFiles.makeDirectory(path)
    TestFiles.setOwner(path, userID: 65534, groupID: 65534)
    let error = #expect(throws: OwnDirectoryError.self) { try OwnDirectory(making: path, files: FileSystem()) }
    #expect(
      error?.description == "\(path) belongs to another user (65534)"
        + "\nHINT: Name a directory of your own, in which nobody else may write.")
  }

  @Test func linksInItAreNotFollowed() throws {
    let own = try OwnDirectory(making: path, files: FileSystem())
    TestFiles.write("precious", to: directory.appending("victim"))
    for name in ["file", "file.unfinished"] { TestFiles.symbolicLink("../victim", at: path.appending(name)) }
    #expect(throws: SystemError.self) { try own.contents(of: "file", max: 100) }
    try own.replace("file", by: [1])
    #expect(TestFiles.read(directory.appending("victim")) == Array("precious".utf8))
    #expect(try own.contents(of: "file", max: 100) == [1])
  }

  /// What is in the directory that was opened, not what its name has come to mean.
  @Test func anExchangedDirectoryIsNotWrittenTo() throws {
    let own = try OwnDirectory(making: path, files: FileSystem())
    TestFiles.makeDirectory(directory.appending("victim"))
    TestFiles.rename(path, to: directory.appending("moved"))
    TestFiles.symbolicLink("victim", at: path)
    try own.replace("file", by: [1])
    #expect(TestFiles.names(in: directory.appending("victim")) == [])
    #expect(TestFiles.names(in: directory.appending("moved")) == ["file"])
  }
}
