// Looks whether something is new, and takes only the messages and the keyboard from the fresh page, so that
// what is being typed stays.
const chat = document.getElementById("chat");
const down = () => { chat.scrollTop = chat.scrollHeight; };
down();
setInterval(async () => {
  const version = await (await fetch("?peek")).text();
  if (version === chat.dataset.version) return;
  const page = new DOMParser().parseFromString(await (await fetch("")).text(), "text/html");
  const fresh = page.getElementById("chat");
  chat.innerHTML = fresh.innerHTML;
  chat.dataset.version = fresh.dataset.version;
  const keys = document.querySelectorAll("footer .keys");
  keys.forEach((row) => row.remove());
  document.querySelector("footer").prepend(...page.querySelectorAll("footer .keys"));
  down();
}, 700);
const field = document.querySelector("textarea");
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    field.form.submit();
  }
});
