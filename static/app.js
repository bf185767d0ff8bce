// The front page: forms, live table, state of the lab. Each part is a file of its own under js/.
import * as act from "./js/act.js";
import * as compare from "./js/compare.js";
import * as done from "./js/done.js";
import * as forms from "./js/forms.js";
import { showHealth, showStream } from "./js/health.js";
import * as race from "./js/race.js";
import { follow } from "./js/stream.js";
import * as table from "./js/table.js";

table.start();
forms.start(sent);
race.start(sent);
compare.start();
act.start((task, act) => (act === "retry" ? sent : table.apply)([task]));

function sent(tasks) {
  done.expect(tasks);
  table.apply(tasks);
}

follow({
  tasks({ tasks, counts, checks }) {
    table.apply(tasks);
    race.apply(tasks);
    compare.refresh();
    table.showCounts(counts, checks);
    done.note(tasks);
  },
  health: showHealth,
  reset() {
    table.refreshSoon();
    compare.refresh();
    done.catchUp();
  },
  waits: done.waits,
  live: showStream,
});
