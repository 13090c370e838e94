import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `check` tries what a storage can do, says what it found, and leaves nothing behind.
@Suite struct CheckTests {
  private let tool = Tool()

  @Test func aDirectoryIsTried() {
    tool.run("init", "--unsealed")
    let before = TestFiles.allFiles(in: tool.repository).map(\.text)
    let result = tool.run("check")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(
      tool.plain(result.output).replacing(/\d+ ms/, with: "TIME").replacing(/[\d.]+ \w+ are/, with: "ROOM are") == """
        DIR/repository
          there is a repository here: LONGID
          yes  creates an object only if it is absent
          yes  reads parts of objects
          yes  lists at once what was written
          yes  lists the lengths of objects
          yes  says when an object survives a loss of power
          yes  ends the lock of a run that was killed
          no  keeps what is locked from being deleted
          yes  removes objects for this host
          this host can remove what is stored: `holdfast init --append-only-recipe` prints what keeps it from that
          a request takes TIME
          ROOM are free there

        """)
    #expect(TestFiles.allFiles(in: tool.repository).map(\.text) == before)
  }

  @Test func aPlaceWithoutARepositoryIsTriedToo() {
    TestFiles.makeDirectory(tool.repository)
    let result = tool.run("check")
    #expect(result.exitStatus == 0)
    #expect(result.output.contains("\n  there is no repository here yet\n"))
    #expect(TestFiles.names(in: tool.repository) == [])
  }

  /// A disk that is not mounted must not look well.
  @Test func aDirectoryThatIsMissingIsNotMade() {
    let result = tool.run("check", "--repository", "mounted/backup")
    #expect(result.exitStatus == 10)
    #expect(
      tool.plain(result.error) == """
        holdfast: there is no directory DIR/mounted/backup
        HINT: Mount its disk, or correct the location. For a new repository, `holdfast init` makes it.

        """)
    #expect(!TestFiles.exists(tool.directory.appending("mounted")))
  }

  /// Who pins a keyring expects that another repository is refused.
  @Test func anotherKeyringIsRefused() {
    tool.run("init", "--unsealed")
    let result = tool.run("check", "--expect-keyring", String(repeating: "0", count: 32))
    #expect(result.exitStatus == 21)
  }

  @Test func itsJSONNamesEachCapability() throws {
    tool.run("init", "--unsealed")
    let result = tool.run("check", "--json")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
    #expect(json["location"] as? String == tool.repository.text)
    #expect((json["repository"] as? String)?.count == 32)
    #expect((json["weaknesses"] as? [String])?.isEmpty == true)
    #expect(json["roundTripSeconds"] is Double)
    #expect(json["availableBytes"] is Int && json["removal"] as? String == "removed")
    let capabilities = try #require(json["capabilities"] as? [String: Bool])
    let names = [
      "createsIfAbsent", "isDurable", "listsAtOnce", "listsLengths", "locks", "locksObjects", "readsRanges", "removes",
    ]
    #expect(capabilities.keys.sorted() == names)
  }
}
