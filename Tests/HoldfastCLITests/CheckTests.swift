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
      tool.plain(result.output).replacing(/\d+ ms/, with: "TIME") == """
        DIR/repository
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

        """)
    #expect(TestFiles.allFiles(in: tool.repository).map(\.text) == before)
  }

  @Test func itsJSONNamesEachCapability() throws {
    tool.run("init", "--unsealed")
    let result = tool.run("check", "--json")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
    #expect(json["location"] as? String == tool.repository.text)
    #expect((json["weaknesses"] as? [String])?.isEmpty == true)
    #expect(json["roundTripSeconds"] is Double)
    let capabilities = try #require(json["capabilities"] as? [String: Bool])
    let names = [
      "createsIfAbsent", "isDurable", "listsAtOnce", "listsLengths", "locks", "locksObjects", "readsRanges", "removes",
    ]
    #expect(capabilities.keys.sorted() == names)
  }
}
