// Pages without reload.  Everything works without this file: pages then load again every ten seconds.
"use strict";
(() => {
  const main = document.querySelector("main");
  const log = document.querySelector("pre.log");

  // -- times in the reader's zone ---------------------------------------------------------------
  const two = (n) => String(n).padStart(2, "0");
  const localise = (root) => {
    for (const each of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const when = new Date(each.getAttribute("datetime"));
      if (isNaN(when)) continue;
      each.dataset.local = "";
      each.title = when.toLocaleString();
      if (each.closest(".log")) {
        each.textContent = `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
      }
    }
  };
  const ago = () => {
    for (const each of document.querySelectorAll("time[datetime][data-ago]")) {
      const passed = (Date.now() - new Date(each.getAttribute("datetime"))) / 1000;
      const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([s]) => passed >= s) || [1, "s"];
      each.textContent = passed < 10 ? "just now" : `${Math.floor(passed / size)} ${unit} ago`;
    }
  };

  // -- parts of the page that change ------------------------------------------------------------
  let loading = false, again = false, failed = 0;
  const refresh = async () => {
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.statusText);
      failed = 0;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(old.id);
        if (!now || now.innerHTML === old.innerHTML) continue;
        // Who reads or types here keeps the place.
        const focus = old.contains(document.activeElement) && document.activeElement;
        const link = focus && focus.getAttribute("href");
        const at = [old.scrollLeft, old.scrollTop];
        old.replaceChildren(...now.childNodes);
        [old.scrollLeft, old.scrollTop] = at;
        if (link) [...old.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus();
        localise(old);
      }
      document.title = fresh.title;
      ago();
    } catch {
      // No event may follow: after the last one the page would stay as it is.
      failed += 1;
      again = failed < 20;
    } finally {
      loading = false;
      if (again) { again = false; setTimeout(refresh, failed ? 3000 : 500); }
    }
  };
  if (main && main.dataset.events) {
    const source = new EventSource(main.dataset.events);
    source.addEventListener("change", refresh);
    source.addEventListener("end", () => { source.close(); refresh(); });
  } else if (main && main.dataset.every) {
    setInterval(() => { if (!document.hidden) refresh(); }, 1000 * main.dataset.every);
  }

  // -- the log ----------------------------------------------------------------------------------
  if (log) {
    const tools = document.getElementById("log-tools");
    const rows = log.querySelector("code");
    const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    let following = !location.hash.startsWith("#L");
    const end = document.getElementById("log-end");
    const follow = () => { log.scrollTop = log.scrollHeight; };
    log.addEventListener("scroll", () => { following = atEnd(); end.hidden = following; });
    tools.hidden = false;
    end.addEventListener("click", () => { following = true; follow(); });
    document.getElementById("log-full").addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else document.getElementById("log").requestFullscreen();
    });
    const find = document.getElementById("log-find"), found = document.getElementById("log-found");
    let hits = [], hit = -1;
    const search = () => {
      const part = find.value.toLowerCase();
      hits = [];
      for (const row of rows.children) {
        const fits = part !== "" && row.lastElementChild.textContent.toLowerCase().includes(part);
        row.classList.toggle("hit", fits);
        if (fits) hits.push(row);
      }
      hit = -1;
      found.textContent = part === "" ? "" : `${hits.length} line${hits.length === 1 ? "" : "s"}`;
    };
    const next = (step) => {
      if (!hits.length) return;
      hit = (hit + step + hits.length) % hits.length;
      following = false;
      hits[hit].scrollIntoView({ block: "center" });
      found.textContent = `${hit + 1} of ${hits.length} lines`;
    };
    find.addEventListener("input", search);
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); next(event.shiftKey ? -1 : 1); }
    });
    const wanted = () => {
      const id = location.hash.slice(1);
      if (!/^L[0-9]+$/.test(id)) return;
      const row = document.getElementById(id);
      if (row) { following = false; row.scrollIntoView({ block: "center" }); return; }
      if (new URLSearchParams(location.search).get("line") !== id.slice(1)) {
        location.replace(`${location.pathname}?line=${id.slice(1)}#${id}`);
      }
    };
    addEventListener("hashchange", wanted);
    if (following) follow(); else wanted();
    if (log.dataset.events) {
      const source = new EventSource(log.dataset.events);
      source.addEventListener("lines", (event) => {
        // The server has escaped each line.
        rows.insertAdjacentHTML("beforeend", JSON.parse(event.data));
        while (rows.children.length > 20000) rows.firstChild.remove();
        localise(rows);
        if (find.value) search();
        if (following) follow();
      });
      source.addEventListener("restart", () => { source.close(); location.reload(); });
      source.addEventListener("end", () => source.close());
    }
  }

  localise(document);
  ago();
  setInterval(ago, 10000);
})();
