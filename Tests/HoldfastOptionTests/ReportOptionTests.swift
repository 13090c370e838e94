import ArgumentParser
import HoldfastCLI
import Testing

/// A report must be written somewhere, and shows some of the past.
@Suite struct ReportOptionTests {
  private func message(_ arguments: String...) -> String {
    do {
      _ = try Holdfast.parseAsRoot(["report"] + arguments)
      return ""
    } catch { return Holdfast.message(for: error) }
  }

  @Test func aReportGoesToAFileOrIsJSON() {
    #expect(message() == "a file for the report is needed: --html FILE")
    #expect(message("--html", "report.html") == "")
    #expect(message("--json") == "")
  }

  @Test func theTimeThatItShowsIsMoreThanNothing() {
    #expect(message("--json", "--since", "0") == "--since is more than 0")
    #expect(message("--json", "--since", "90d") == "")
  }
}
