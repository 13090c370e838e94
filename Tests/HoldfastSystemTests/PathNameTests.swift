import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A place has all the names by which it can be reached; and the one without links is the last.
@Suite struct PathNameTests {
  private let directory = TemporaryDirectory()

  init() {
    for name in ["share", "share/shop", "share/other"] { TestFiles.makeDirectory(directory.appending(name)) }
    TestFiles.symbolicLink("share", at: directory.appending("link"))
    TestFiles.symbolicLink("other", at: directory.appending("share/planted"))
    TestFiles.symbolicLink("\(directory.path)/link/planted", at: directory.appending("far"))
    TestFiles.symbolicLink("loop", at: directory.appending("loop"))
  }

  private func names(_ text: String) -> [String] {
    FileSystem().names(of: Path("\(directory.path)/\(text)")).map {
      $0.text.replacing("\(directory.path)/", with: "")
    }
  }

  @Test(arguments: [
    ("share/shop", ["share/shop"]), ("share//./shop/", ["share/shop"]),
    ("link/shop", ["link/shop", "share/shop"]),
    ("share/planted", ["share/planted", "share/other"]),
    ("link/planted", ["link/planted", "share/planted", "share/other"]),
    ("far", ["far", "link/planted", "share/planted", "share/other"]),
    // The kernel goes to the parent of where a link leads.
    ("link/../share/shop", ["link/../share/shop", "share/shop"]),
    // What is not there is named below what is.
    ("link/new/one", ["link/new/one", "share/new/one"]),
  ])
  func aPlaceHasAllNamesByWhichItIsReached(_ path: String, _ expected: [String]) {
    #expect(names(path) == expected)
  }

  /// However it was spelled before: the name that a directory had is among those of the link that took its place.
  @Test(arguments: ["share/shop", "link/shop", "share/other/../shop", "link/../share/shop"])
  func aLinkInThePlaceOfADirectoryTakesNoNameAway(_ spelled: String) {
    let known = names(spelled)
    TestFiles.rename(directory.appending("share/shop"), to: directory.appending("share/old"))
    TestFiles.symbolicLink("other", at: directory.appending("share/shop"))
    for again in ["share/shop", "link/shop", "share/other/../shop"] {
      #expect(names(again).contains("share/shop"), "\(again)")
      #expect(names(again).last == "share/other")
    }
    #expect(Set(names(spelled)).isSuperset(of: known))
  }

  @Test func aLinkToItselfEnds() { #expect(names("loop/x").last == "loop/x") }
}
